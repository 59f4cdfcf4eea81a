#!/bin/bash
# Boots systemd with the units of a folder, in namespaces of its own: it sees no other process, and
# what it writes to /etc, /opt, /var and /run is gone with it. The network is that of the machine.
#
# boot_systemd.sh outside|inside FOLDER
set -e
stage=$1 folder=$2
case $stage in
  outside)
    mount -t tmpfs tmpfs /mnt
    for each in etc opt var; do
      mkdir -p "/mnt/$each.new" "/mnt/$each.work"
      mount -t overlay overlay "/$each" \
        -o "lowerdir=/$each,upperdir=/mnt/$each.new,workdir=/mnt/$each.work"
    done
    mkdir /mnt/cgroup
    mount -t cgroup2 cgroup2 /mnt/cgroup
    mkdir "/mnt/cgroup/$(basename "$folder")"
    echo $$ > "/mnt/cgroup/$(basename "$folder")/cgroup.procs"
    exec unshare --kill-child=SIGKILL --cgroup --pid --fork --uts --ipc --mount \
      --propagation private bash "$0" inside "$folder"
    ;;
  inside)
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    systemd-sysusers "$folder/sysusers.conf"
    /usr/bin/python3 -m venv /opt/lamia-gql
    pip="/opt/lamia-gql/bin/pip install --quiet --no-deps"
    $pip --require-hashes -r "$folder/run.lock"
    $pip "$folder"/*.whl
    install -d -m 0755 /etc/lamia-gql
    install -m 0600 "$folder/environment" /etc/lamia-gql/environment
    install -d -o lamia-gql -g lamia-gql -m 0750 /var/log/lamia-gql
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=test "SYSTEMD_UNIT_PATH=$folder/units" \
      /lib/systemd/systemd --system --unit=boot.target --show-status=no
    ;;
esac
