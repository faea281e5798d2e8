# In the guest's root, after the overlay. Wants ROOT_PASSWORD.
echo "root:$ROOT_PASSWORD" | chpasswd
rm -rf /var/log/journal
rm -f /etc/apt/apt.conf.d/99mmdebstrap /etc/apt/sources.list.d/* /etc/resolv.conf
: > /etc/resolv.conf

systemctl disable postgresql.service systemd-network-generator.service
systemctl enable systemd-networkd.service serial-getty@ttyS0.service postgresql@15-main.service coldplug-rest.service

# Housekeeping that would write to the disk behind a test's back.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer man-db.timer systemd-tmpfiles-clean.timer

# Needs no doing: the image has its machine id, users, device nodes and a root mounted writable (the kernel replays the
# journal of its file system when it mounts it). Under emulation each of these costs 0.3 to 1 s of a boot.
systemctl mask kmod-static-nodes.service systemd-binfmt.service systemd-firstboot.service systemd-fsck-root.service \
  systemd-journal-flush.service systemd-machine-id-commit.service systemd-modules-load.service \
  systemd-network-generator.service systemd-networkd-wait-online.service systemd-pcrphase-sysinit.service \
  systemd-pcrphase.service systemd-pstore.service systemd-random-seed.service systemd-remount-fs.service \
  systemd-repart.service systemd-sysctl.service systemd-sysusers.service systemd-tmpfiles-setup-dev.service \
  systemd-update-utmp-runlevel.service systemd-update-utmp.service modprobe@.service \
  systemd-ask-password-console.path systemd-ask-password-wall.path proc-sys-fs-binfmt_misc.automount \
  dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount cryptsetup.target integritysetup.target remote-cryptsetup.target remote-fs.target \
  veritysetup.target

# What the generators would find is written above.
mkdir -p /etc/systemd/system-generators
for generator in /lib/systemd/system-generators/*; do
  ln -sf /dev/null "/etc/systemd/system-generators/${generator##*/}"
done
