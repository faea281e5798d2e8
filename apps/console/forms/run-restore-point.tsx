/** Running a restore point as a machine: where, with what, reachable how; and in plain words what will happen. */

import { NumberInput, SegmentedControl, TagsInput } from "@mantine/core";
import type { Device, RestorePoint, VaultId } from "@mainstay/contract";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { deviceProtectionQuery, vaultsQuery } from "../api/queries.ts";
import { formatInstant } from "../format/instant.ts";
import { FormEnd } from "./form-end.tsx";
import { parsePorts } from "./parse-ports.ts";
import { WhatHappens } from "./what-happens.tsx";
import { WhereToRun, type Place } from "./where-to-run.tsx";

const GIB = 1024 ** 3;

type RunRestorePointProps = {
  readonly point: RestorePoint;
  readonly device: Device;
  readonly timeZone: string;
  readonly onClose: () => void;
};

export function RunRestorePoint({ point, device, timeZone, onClose }: RunRestorePointProps) {
  const places = usePlaces(point);
  const [vaultId, setVaultId] = useState<VaultId>();
  const place = places.find((one) => one.vaultId === vaultId) ?? places.find((one) => one.ready);
  const machine = useMachine(device);
  const [network, setNetwork] = useState<"isolated" | "forwards">("isolated");
  const [portTexts, setPortTexts] = useState<string[]>([]);
  const ports = network === "isolated" ? [] : parsePorts(portTexts);
  const start = useStart(onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (place === undefined || ports === undefined) return;
    start.mutate({
      restorePointId: point.id,
      vaultId: place.vaultId,
      machine: { memoryBytes: machine.memoryGib * GIB, processors: machine.processors },
      forwardPorts: [...ports],
    });
  };
  return (
    <form onSubmit={submit} className="stack">
      <p className="prose">
        The restore point of <strong>{formatInstant(new Date(point.takenAt), timeZone)}</strong>.
      </p>
      <WhereToRun places={places} chosen={place?.vaultId} onChoose={setVaultId} />
      <MachineSize machine={machine} />
      <div>
        <h3 className="label" id="network-label">
          Network
        </h3>
        <SegmentedControl
          fullWidth
          aria-labelledby="network-label"
          value={network}
          onChange={setNetwork}
          data={[
            { value: "isolated", label: "Isolated" },
            { value: "forwards", label: "Forward ports" },
          ]}
        />
      </div>
      {network === "forwards" && (
        <TagsInput
          label="Ports of the machine to forward"
          description="TCP; type a port and press Enter. Each is reachable on the server that runs the machine, and nowhere else."
          placeholder="5432"
          value={portTexts}
          onChange={setPortTexts}
          error={ports === undefined ? "Wanted port numbers from 1 to 65535, 16 at most" : undefined}
          splitChars={[",", " "]}
        />
      )}
      <WhatHappens device={device} place={place} ports={ports ?? []} />
      <FormEnd
        submit="Run it now"
        pending={start.isPending}
        cause={start.error}
        onCancel={onClose}
        disabled={place === undefined || ports === undefined}
      />
    </form>
  );
}

function MachineSize({ machine }: { readonly machine: ReturnType<typeof useMachine> }) {
  return (
    <div className="pair">
      <NumberInput
        label="Memory"
        suffix=" GiB"
        min={0.125}
        max={1024}
        step={1}
        value={machine.memoryGib}
        onChange={machine.setMemoryGib}
      />
      <NumberInput
        label="Processors"
        min={1}
        max={64}
        allowDecimal={false}
        value={machine.processors}
        onChange={machine.setProcessors}
      />
    </div>
  );
}

const WHY_NOT: Readonly<Record<RestorePoint["replicas"][number]["state"], string | null>> = {
  present: null,
  copying: "still being copied there",
  missing: "no replica there",
};

function usePlaces(point: RestorePoint): readonly Place[] {
  const { data: vaults = [] } = useQuery(vaultsQuery());
  return point.replicas.map((replica) => {
    const vault = vaults.find((one) => one.id === replica.vaultId);
    return {
      vaultId: replica.vaultId,
      name: replica.vaultName,
      kind: vault?.kind ?? "local",
      ready: replica.state === "present" && vault?.state !== "unreachable",
      why: WHY_NOT[replica.state] ?? vault?.stateDetail ?? null,
    };
  });
}

/** What the device is set to, until it is changed here for this one session. */
function useMachine(device: Device) {
  const { data: protection } = useQuery(deviceProtectionQuery(device.id));
  const [memory, setMemory] = useState<number>();
  const [processors, setProcessors] = useState<number>();
  return {
    memoryGib: memory ?? (protection?.machine.memoryBytes ?? 2 * GIB) / GIB,
    processors: processors ?? protection?.machine.processors ?? 2,
    setMemoryGib: (value: number | string) => setMemory(Number(value)),
    setProcessors: (value: number | string) => setProcessors(Number(value)),
  };
}

type StartBody = Parameters<typeof api.recoverySessions.start>[0]["body"];

function useStart(onClose: () => void) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: StartBody) => api.recoverySessions.start({ body }),
    onSuccess: async (session) => {
      void queries.invalidateQueries({ queryKey: ["recovery-sessions"] });
      onClose();
      await navigate({
        to: "/recovery-sessions/$recoverySessionId",
        params: { recoverySessionId: session.id },
      });
    },
  });
}
