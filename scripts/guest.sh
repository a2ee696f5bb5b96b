#!/usr/bin/env bash
# Boot a stock Debian in user space and run a command in it as root, in a copy of this checkout: by default the live tests.
# For what the machine at hand does not have: cgroup version 2, systemd's delegation, another kernel.
#   scripts/guest.sh [COMMAND...]
# With GUEST_USER=somebody it runs as an ordinary user, in a scope that systemd leaves to them. GUEST_ENGINE=qemu boots
# Debian's own kernel under QEMU, which wants KVM or patience; uml, where there is no KVM, User-Mode Linux: a kernel that
# is a process of this machine, so that what runs in it is as quick as here but for system calls and pages touched for
# the first time, on one processor and without network. GUEST_KERNEL=PLACE/usr/bin/linux.uml boots another one than
# Debian's stable, from wherever its package was unpacked: since 6.16 such kernels catch system calls by seccomp, and
# starting programs is several times as quick. The image is made once, by root, in GUEST_DIR (default .guest, 4 GB), and
# never changed; remove it to have it made again.
set -euo pipefail
cd "$(dirname "$0")/.."
guest=$(realpath -m "${GUEST_DIR:-.guest}") port=${GUEST_PORT:-2222} as=${GUEST_USER:-root}
kernel=${GUEST_KERNEL:-/usr/bin/linux.uml}
[ $# -gt 0 ] || set -- python3 -m pytest -m live -p no:cacheprovider
packages=systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,openssh-server,linux-image-cloud-amd64
packages+=,python3,python3-venv,python3-dev,gcc,make,nodejs,procps,ca-certificates,crun,runc,iproute2,nftables
accel=tcg,thread=multi cpu=max,avx2=off engine=uml patience=3 # numpy sorts wrongly on an emulated AVX2
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accel=kvm cpu=max engine=qemu patience=1; fi
engine=${GUEST_ENGINE:-$engine}
trusted=/etc/ssl/certs/ca-certificates.crt # a network with an authority of its own is known to this machine only

make_image() {
    scripts/debian.sh user-mode-linux qemu-system-x86 debootstrap openssh-client e2fsprogs
    local root=$guest/root
    debootstrap --variant=minbase --include="$packages" bookworm "$root"
    python3 -m pip install --quiet --target "$root/usr/local/lib/python3.11/dist-packages" --python-version 3.11 \
        --only-binary :all: pip hatchling editables 'polars[rtcompat]' async-timeout $(python3 -c "
import tomllib
project = tomllib.load(open('pyproject.toml', 'rb'))['project']
print(*(one.replace(' ', '') for one in project['dependencies'] + project['optional-dependencies']['dev']))")
    ssh-keygen -q -t ed25519 -N '' -f "$guest/key"
    printf '[Match]\nName=en*\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/all.network"
    echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
    chroot "$root" useradd --create-home --shell /bin/bash somebody
    chroot "$root" systemctl enable systemd-networkd
    for home in root home/somebody; do
        install -D -m 644 "$guest/key.pub" "$root/$home/.ssh/authorized_keys"
    done
    cp "$root"/boot/vmlinuz-* "$guest/kernel"
    cp "$root"/boot/initrd.img-* "$guest/initrd"
    mkfs.ext4 -q -d "$root" "$guest/new.img" 6G
    rm -rf "$root"
    mv "$guest/new.img" "$guest/disk.img"
}

tree() { # as an archive
    git ls-files -coz --exclude-standard |
        tar --create --null --files-from - --ignore-failed-read --warning=no-failed-read
}

prepare='mkdir /srv/attacca && cd /srv/attacca && tar --extract --no-same-owner --touch &&
    python3 -m venv --without-pip --system-site-packages .venv &&
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . &&
    .venv/bin/python -m compileall -q attacca tests; chmod -R go+rX .'
prepare+=" && chown -R $as ."
[ "$as" = root ] || set -- systemd-run --user --scope --quiet --property Delegate=yes "$@"
command="cd /srv/attacca && PATH=/srv/attacca/.venv/bin:\$PATH PYTHONDONTWRITEBYTECODE=1 PATIENCE=${PATIENCE:-$patience} $(printf '%q ' "$@")"

# What a guest of this kind shares with us is the directory `$guest`; what the command says is on its second console. Such
# kernels are built without the tables of nftables that a way out wants.
on_uml() {
    tree >"$guest/tree.tar"
    [ ! -e "$trusted" ] || cp "$trusted" "$guest/trusted.crt"
    rm -rf "$guest/modules" && cp -a "$(dirname "$kernel")/../lib/uml/modules" "$guest/modules"
    cat >"$guest/inside" <<END
exec </dev/null >/dev/tty1 2>&1
stty -F /dev/tty1 -opost
cp -a /mnt/modules/. /lib/modules/
sysctl -qe -w kernel.io_uring_disabled=2 # whose mappings crash such a kernel (7.2)
[ ! -e /mnt/trusted.crt ] || cp /mnt/trusted.crt $trusted
($prepare) </mnt/tree.tar && systemctl start dbus systemd-logind user@\$(id -u $as) && {
    export XDG_RUNTIME_DIR=/run/user/\$(id -u $as)
    systemd-run --scope --quiet runuser -u $as -- bash -c $(printf %q "export ATTACCA_WITHOUT=nft; $command")
}
echo \$? >/mnt/status
END
    rm -f "$guest/changes" "$guest/status"
    local mount="mount -t hostfs -o $guest none /mnt"
    TMPDIR=/dev/shm "$kernel" mem=6G seccomp=auto "uml_dir=$guest/" umid=uml \
        "ubd0=$guest/changes,$guest/disk.img" root=/dev/ubda rw con=null con0=null,fd:3 con1=null,fd:1 "systemd.run=\"/bin/sh -c '$mount && sh /mnt/inside'\"" </dev/null 3>"$guest/console.log" 2>&3 &
    machine=$!
    wait $machine || true
    machine=
    [ -e "$guest/status" ] || { tail "$guest/console.log" >&2 && exit 1; } # the kernel itself has ended
    return "$(cat "$guest/status")"
}

on_qemu() {
    qemu-system-x86_64 -accel "$accel" -cpu "$cpu" -smp 2 -m 6144 -nodefaults -display none -no-reboot -snapshot \
        -kernel "$guest/kernel" -initrd "$guest/initrd" -append "root=/dev/vda rw console=ttyS0 quiet" \
        -drive "file=$guest/disk.img,format=raw,if=virtio,cache=unsafe" -serial "file:$guest/console.log" \
        -device virtio-rng-pci -nic "user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:$port-:22" 2>"$guest/qemu.log" &
    machine=$!
    until by_ssh root true; do
        kill -0 "$machine" 2>/dev/null || { cat "$guest/qemu.log" >&2 && exit 1; }
        sleep 1
    done
    [ ! -e "$trusted" ] || by_ssh root "cat >$trusted" <"$trusted"
    tree | by_ssh root "$prepare"
    by_ssh "$as" "$command"
}

by_ssh() { # USER COMMAND
    ssh -q -i "$guest/key" -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$1@127.0.0.1" "$2"
}

machine=
trap '[ -z "$machine" ] || { kill $machine; wait $machine || true; } 2>/dev/null' EXIT
mkdir -p "$guest"
[ -e "$guest/disk.img" ] || make_image
"on_$engine"
