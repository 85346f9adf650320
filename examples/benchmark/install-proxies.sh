#!/bin/sh
# Installs the proxies that Debian and its kin have for the benchmark to compare with, and
# says which it found. None of them is started, now or at boot: the benchmark runs them
# itself, with its own configurations (see internal/proxies).
#
#	sudo ./examples/benchmark/install-proxies.sh
set -eu

missing=
for package in nginx haproxy caddy; do
	PATH=$PATH:/usr/sbin command -v "$package" >/dev/null || missing="$missing $package"
done
if [ -n "$missing" ]; then
	# Packages start what they install unless a policy says no (policy-rc.d, see
	# invoke-rc.d(8)).
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
	fi
	apt-get update
	# nginx-light is nginx without the modules that nothing here needs.
	# shellcheck disable=SC2086 # several words
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(echo $missing | sed 's/nginx/nginx-light/')
	for service in $missing; do
		! command -v systemctl >/dev/null || systemctl disable "$service"
	done
fi

PATH=$PATH:/usr/sbin
nginx -v
haproxy -v | head -n 1
echo "caddy $(caddy version)"
if command -v envoy >/dev/null; then
	envoy --version
else
	echo "envoy is not here, and Debian does not have it. The benchmark takes one from the PATH:"
	echo "see https://www.envoyproxy.io/docs/envoy/latest/start/install"
fi
