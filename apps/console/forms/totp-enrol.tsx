/** Turning the second factor on: scan, type the first code, keep the recovery codes. */

import { Button, Checkbox, Loader, TextInput } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { QRCodeSVG } from "qrcode.react";
import { useEffect, useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { CopyIcon, CopyText } from "../components/copy-text.tsx";
import { ProblemLine, ProblemView } from "../components/problem.tsx";
import classes from "./totp-enrol.module.css";

/** `onDone` is called once the recovery codes were kept. */
export function TotpEnrol({ onDone }: { readonly onDone: () => void }) {
  const begin = useMutation({ mutationFn: () => api.account.beginTotp() });
  const [recoveryCodes, setRecoveryCodes] = useState<readonly string[]>();
  const { mutate: start } = begin;
  useEffect(() => start(), [start]);
  if (begin.isError) return <ProblemView cause={begin.error} onAgain={() => start()} />;
  if (recoveryCodes !== undefined) return <RecoveryCodes codes={recoveryCodes} onDone={onDone} />;
  if (begin.data === undefined) return <Loader size="sm" type="dots" aria-label="Loading" />;
  return <FirstCode {...begin.data} onOn={setRecoveryCodes} />;
}

type FirstCodeProps = {
  readonly secret: string;
  readonly otpauthUrl: string;
  readonly onOn: (recoveryCodes: readonly string[]) => void;
};

function FirstCode({ secret, otpauthUrl, onOn }: FirstCodeProps) {
  const [code, setCode] = useState("");
  const confirm = useMutation({
    mutationFn: () => api.account.confirmTotp({ body: { code } }),
    onSuccess: (answer) => onOn(answer.recoveryCodes),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    confirm.mutate();
  };
  return (
    <form onSubmit={submit} className="stack">
      <div className={classes.scan}>
        <div className={classes.qr}>
          <QRCodeSVG value={otpauthUrl} size={148} marginSize={2} title="QR code for the authenticator app" />
        </div>
        <div className={classes.secret}>
          <span>Scan it with an authenticator app, or type this secret into it:</span>
          <CopyText text={secret} what="the secret" />
        </div>
      </div>
      <TextInput
        label="Six digits from the app"
        value={code}
        onChange={(event) => setCode(event.currentTarget.value)}
        inputMode="numeric"
        autoComplete="one-time-code"
        maxLength={8}
        required
        data-autofocus
      />
      <ProblemLine cause={confirm.error} />
      <Button type="submit" loading={confirm.isPending} disabled={code.trim().length < 6}>
        Turn on
      </Button>
    </form>
  );
}

function RecoveryCodes({
  codes,
  onDone,
}: {
  readonly codes: readonly string[];
  readonly onDone: () => void;
}) {
  const [kept, setKept] = useState(false);
  const text = codes.join("\n");
  return (
    <div className="stack">
      <p className={classes.note}>
        Each of these codes signs you in once when the phone is lost. They are shown only now: keep them where
        the phone is not.
      </p>
      <div className={classes.codes}>
        <ul>
          {codes.map((code) => (
            <li key={code}>{code}</li>
          ))}
        </ul>
        <CopyIcon text={text} what="the recovery codes" />
      </div>
      <Button
        component="a"
        variant="default"
        leftSection={<IconDownload size={16} />}
        href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${text}\n`)}`}
        download="mainstay-recovery-codes.txt"
      >
        Download as text
      </Button>
      <Checkbox
        label="I have kept the recovery codes"
        checked={kept}
        onChange={(event) => setKept(event.currentTarget.checked)}
      />
      <Button onClick={onDone} disabled={!kept}>
        Done
      </Button>
    </div>
  );
}
