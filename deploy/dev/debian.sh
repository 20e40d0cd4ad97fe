#!/bin/sh
# Install the Debian packages that the tests need: a browser, fonts for Chinese, a broker as the peer, and PostgreSQL.
set -eu
here=$(dirname "$0")
missing=
while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done <"$here/debian-packages.txt"
[ -n "$missing" ] || exit 0
echo "Installing Debian packages:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=$(command -v sudo) || { echo "error: run as root, or install$missing first" >&2; exit 1; }
fi
# Services are not wanted, only the programs: the tests start their own broker and database on ports of their own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null && $sudo chmod +x "$policy" && made=1
fi
status=0
{ $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null; } || status=$?
[ -z "$made" ] || $sudo rm -f "$policy"
exit $status
