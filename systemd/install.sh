#!/bin/sh
# Installs gladhand on a gateway with systemd that is not Debian's, or a newer gladhand over an older one; root.
#
#     ./install.sh                      # then: name the gateway in /etc/gladhand/gladhand.toml, systemctl start gladhand
#     ./install.sh --uninstall          # keeps configuration, key and store
#     ./install.sh --uninstall --purge  # keeps nothing
set -eu
cd "$(dirname "$0")"

# Everything in the tarball but this file and the configuration.
files() { find usr -type f; }

uninstall() {
	systemctl disable --now gladhand.service || true
	files | while read -r file; do rm -f "/$file"; done
	rm -rf /usr/share/doc/gladhand
	systemctl daemon-reload
	test "${1:-}" = --purge || return 0
	rm -rf /var/lib/gladhand /etc/gladhand
	rm -f /etc/credstore/elevenlabs-api-key /etc/credstore.encrypted/elevenlabs-api-key
	# What README has written for an encrypted key; other drop-ins are not ours.
	rm -f /etc/systemd/system/gladhand.service.d/key.conf
	rmdir /etc/systemd/system/gladhand.service.d 2>/dev/null || true
	userdel gladhand || true
}

case ${1:-} in
--uninstall)
	uninstall "${2:-}"
	exit
	;;
"") ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac

files | while read -r file; do
	mkdir -p "/$(dirname "$file")"
	# Beside it first: the program may be running.
	cp -p "$file" "/$file.new"
	chown 0:0 "/$file.new"
	mv "/$file.new" "/$file"
done
mkdir -p /etc/gladhand
for file in etc/gladhand/*.toml; do
	test -e "/$file" || cp -p "$file" "/$file"
done
systemd-sysusers gladhand.conf
systemd-tmpfiles --create gladhand.conf
systemctl daemon-reload
systemctl enable gladhand.service
systemctl try-restart gladhand.service
