/** A device that enrolled and waits: see whose key it is, then let it in. */

import { Button } from "@mantine/core";
import type { Device } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/use-may.ts";
import { CopyText } from "../../components/copy-text.tsx";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";

export function Approval({ device }: { readonly device: Device }) {
  const may = useMay();
  const queries = useQueryClient();
  const approve = useMutation({
    mutationFn: () => api.devices.approve({ params: { deviceId: device.id } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["overview"] }),
  });
  return (
    <Panel
      title="Waits for approval"
      description="Until a technician approves it, this device gets no work. Approve it only if you expected it; below is the fingerprint of the key that was made on it."
      actions={
        may.change && (
          <Button onClick={() => approve.mutate()} loading={approve.isPending}>
            Approve
          </Button>
        )
      }
    >
      <div className="stack">
        {device.agent !== null && (
          <CopyText text={device.agent.keyFingerprint} what="the key's fingerprint" />
        )}
        <ProblemLine cause={approve.error} />
      </div>
    </Panel>
  );
}
