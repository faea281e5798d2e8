/** What can be done with a device now: back it up, test it. */

import { Button } from "@mantine/core";
import type { Device } from "@mainstay/contract";
import { notifications } from "@mantine/notifications";
import { IconDatabaseExport, IconRosetteDiscountCheck } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "../../api/client.ts";
import { problemOf } from "../../api/problem.ts";
import { useMay } from "../../api/use-may.ts";

export function DeviceActions({ device }: { readonly device: Device }) {
  const may = useMay();
  const queries = useQueryClient();
  const backUp = useMutation({
    mutationFn: () => api.runs.start({ params: { deviceId: device.id }, body: { kind: "backup" } }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void queries.invalidateQueries({ queryKey: ["overview"] });
    },
    onError: (cause) => tell("Cannot back up now", cause),
  });
  const test = useTestNow(device);
  if (!may.change || device.state !== "active") return null;
  return (
    <>
      <Button variant="default" leftSection={<IconDatabaseExport size={16} />} onClick={() => backUp.mutate()} loading={backUp.isPending}>
        Back up now
      </Button>
      <Button variant="default" leftSection={<IconRosetteDiscountCheck size={16} />} onClick={() => test.mutate()} loading={test.isPending}>
        Test now
      </Button>
    </>
  );
}

function useTestNow(device: Device) {
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => api.restoreTests.start({ body: { deviceId: device.id } }),
    onSuccess: (test) => navigate({ to: "/restore-tests/$restoreTestId", params: { restoreTestId: test.id } }),
    onError: (cause) => tell("Cannot test now", cause),
  });
}

function tell(title: string, cause: unknown): void {
  notifications.show({ title, message: problemOf(cause).message, color: "red", autoClose: 12_000 });
}
