# Install Baler's own files into an environment, and write down which commit they are of:
#     sh requirements/baler.sh SOURCE COMMIT PYTHON
# SOURCE: a git URL, or a local clone (a bare one, or one without Baler's large files, will do).
set -eu
source=$1 commit=$2 python=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -d "$source" ]; then
    repository=$source
else
    repository=$work/repository
    git init --quiet --bare "$repository"
    git -C "$repository" fetch --quiet --depth 1 "$source" "$commit"
fi
mkdir "$work/baler"
git -C "$repository" archive --output "$work/baler.tar" --prefix baler/ "$commit:baler"
tar -xf "$work/baler.tar" -C "$work/baler"
for file in pyproject.toml README.md; do git -C "$repository" show "$commit:$file" > "$work/baler/$file"; done
# --no-deps: what Baler asks for would be resolved anew, and its torch is to be ours. Baler refuses Python 3.11.10 and
# newer, though the NumPy that it pins runs on every 3.11.
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --ignore-requires-python \
    "$work/baler"
"$python" -c 'import sys; open(sys.prefix + "/baler-commit", "w").write(sys.argv[1])' "$commit"
