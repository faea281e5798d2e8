/** A one-time sign-in link, shown once. */

import { Alert, Button } from "@mantine/core";
import type { SignInLink } from "@mainstay/contract";
import { IconEyeOff } from "@tabler/icons-react";
import { CopyText } from "../components/copy-text.tsx";
import { When } from "../components/when.tsx";
import { viewerTimeZone } from "../format/instant.ts";

type SignInLinkTextProps = { readonly name: string; readonly link: SignInLink; readonly onClose: () => void };

export function SignInLinkText({ name, link, onClose }: SignInLinkTextProps) {
  return (
    <div className="stack">
      <Alert icon={<IconEyeOff size={18} />} color="yellow" variant="light" title="Shown only now">
        Whoever opens it is signed in as {name}. Hand it over on a way you trust.
      </Alert>
      <CopyText text={new URL(link.path, location.href).href} what="the sign-in link" />
      <p className="hint">
        It works once, until <When at={link.expiresAt} timeZone={viewerTimeZone()} show="absolute" />.
      </p>
      <div className="form-end">
        <Button onClick={onClose}>Close</Button>
      </div>
    </div>
  );
}
