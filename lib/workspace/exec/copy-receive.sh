# Unpacks an archive into the folder $1.
cd -- "$1" && exec tar -x -p -f - --no-same-owner --no-overwrite-dir --keep-directory-symlink --warning=no-timestamp
