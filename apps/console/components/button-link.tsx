/** A link that looks like a button, for going somewhere rather than doing something. */

import { Button, type ButtonProps } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

type ButtonLinkProps = Pick<ButtonProps, "variant" | "size" | "leftSection" | "fullWidth" | "color"> & {
  readonly to: string;
  readonly children: ReactNode;
};

export function ButtonLink({ to, children, ...look }: ButtonLinkProps) {
  return (
    <Button {...look} renderRoot={(props) => <Link {...props} to={to} />}>
      {children}
    </Button>
  );
}
