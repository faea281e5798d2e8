/** A dialog that is mounted only while open, so that each opening begins afresh. */

import { Modal } from "@mantine/core";
import type { ReactNode } from "react";

type DialogProps = {
  readonly title: string;
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly size?: "sm" | "md" | "lg" | "xl";
};

export function Dialog({ title, opened, onClose, children, size = "md" }: DialogProps) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      size={size}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {opened && children}
    </Modal>
  );
}
