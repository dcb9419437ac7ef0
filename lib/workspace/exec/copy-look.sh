# Tells what lies at the path $1, and that path as an absolute one, each with a zero byte behind it.
case $1 in
  '~' | '~/'*) p=$HOME${1#'~'} ;;
  /*) p=$1 ;;
  '') p=$PWD ;;
  *) p=$PWD/$1 ;;
esac
q=$p
while [ "$q" != / ] && [ "${q%/}" != "$q" ]; do q=${q%/}; done
above=${q%/*}
if [ -d "$p" ]; then kind=folder
elif [ -f "$q" ]; then kind=file
elif [ -L "$q" ]; then kind=missing
elif [ -e "$q" ]; then kind=special
elif [ -d "${above:-/}" ]; then kind=missing
else kind=nowhere; fi
printf '%s\0%s\0' "$kind" "$q"
