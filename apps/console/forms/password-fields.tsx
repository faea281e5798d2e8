/** A new password with a hint of its strength. */

import { PasswordInput } from "@mantine/core";
import { PASSWORD_LENGTH_MAX } from "@mainstay/contract";
import classes from "./password-fields.module.css";
import { passwordStrength } from "./password-strength.ts";

type NewPasswordProps = {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly known: readonly string[];
};

export function NewPassword({ label, value, onChange, known }: NewPasswordProps) {
  const strength = passwordStrength(value, known);
  return (
    <div>
      <PasswordInput
        label={label}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
        autoComplete="new-password"
        maxLength={PASSWORD_LENGTH_MAX}
        aria-describedby="password-strength"
        required
      />
      <div className={classes.strength} data-score={strength.score}>
        <span className={classes.steps} aria-hidden>
          {[1, 2, 3, 4].map((step) => (
            <span
              key={step}
              data-reached={value !== "" && step <= Math.max(strength.score, 0) ? true : undefined}
            />
          ))}
        </span>
        <span id="password-strength" aria-live="polite">
          {value === "" ? "At least 12 characters; several unrelated words are best" : strength.words}
        </span>
      </div>
    </div>
  );
}
