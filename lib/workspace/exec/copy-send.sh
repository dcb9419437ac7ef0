# Writes the folder or the file ($1) at the path $2 as an archive. What the kernel makes up as it is read has no true
# size: `ignored` makes that a warning, as with tar's own lines.
case $(stat -f -c %T -- "$2" 2>/dev/null) in proc | sysfs | cgroup*fs | tracefs | debugfs)
  echo 'files of /proc and /sys have no true size: content is ignored' >&2 ;;
esac
if [ "$1" = folder ]; then
  cd -- "$2" && exec tar -c -f - --format=pax --hard-dereference -- .
else
  cd -- "${2%/*}/" && exec tar -c -h -f - --format=pax -- "./${2##*/}"
fi
