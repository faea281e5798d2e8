# In the guest's root: initial RAM disks for both kernels, names for them that survive an upgrade, and GRUB's core image.
for modules in /lib/modules/*; do
  release=${modules##*/}
  mktirfs -o "/boot/initrd.img-$release" "$release"
  case $release in *-cloud-*) name=virtual ;; *) name=full ;; esac
  ln -sf "vmlinuz-$release" "/boot/vmlinuz.$name"
  ln -sf "initrd.img-$release" "/boot/initrd.$name"
done
mkdir -p /boot/grub
# All modules it needs are in the core image, which lies before the first partition: one read instead of a dozen.
grub-mkimage -O i386-pc -o /boot/grub/core.img -p '(,msdos1)/boot/grub' \
  biosdisk part_msdos ext2 normal linux test setpci echo
cp /usr/lib/grub/i386-pc/boot.img /boot/grub/boot.img
