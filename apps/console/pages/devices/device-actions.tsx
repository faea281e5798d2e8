/** What can be done with a device now: back it up, test it, run its newest restore point. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Device, DeviceOverview } from "@mainstay/contract";
import { notifications } from "@mantine/notifications";
import { IconDatabaseExport, IconPlayerPlay, IconRosetteDiscountCheck } from "@tabler/icons-react";
import { useMutation, useQueryClient, useSuspenseInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "../../api/client.ts";
import { problemOf } from "../../api/problem.ts";
import { restorePointsQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Dialog } from "../../components/dialog.tsx";
import { RunRestorePoint } from "../../forms/run-restore-point.tsx";

export function DeviceActions({ seen: { device, site } }: { readonly seen: DeviceOverview }) {
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
      <Button
        variant="default"
        leftSection={<IconDatabaseExport size={16} />}
        onClick={() => backUp.mutate()}
        loading={backUp.isPending}
      >
        Back up now
      </Button>
      <Button
        variant="default"
        leftSection={<IconRosetteDiscountCheck size={16} />}
        onClick={() => test.mutate()}
        loading={test.isPending}
      >
        Test now
      </Button>
      <RunNewest device={device} timeZone={site.timeZone} />
    </>
  );
}

/** The way back in one press, whatever else is on the page. */
function RunNewest({ device, timeZone }: { readonly device: Device; readonly timeZone: string }) {
  const { data } = useSuspenseInfiniteQuery(restorePointsQuery(device.id));
  const [open, dialog] = useDisclosure(false);
  const newest = data.pages
    .flatMap((page) => page.items)
    .find((point) => point.state === "usable" && point.kind === "image");
  if (newest === undefined) return null;
  return (
    <>
      <Button leftSection={<IconPlayerPlay size={16} />} onClick={dialog.open}>
        Run newest restore point
      </Button>
      <Dialog
        title={`Run ${device.name} from its newest restore point`}
        opened={open}
        onClose={dialog.close}
        size="lg"
      >
        <RunRestorePoint point={newest} device={device} timeZone={timeZone} onClose={dialog.close} />
      </Dialog>
    </>
  );
}

function useTestNow(device: Device) {
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => api.restoreTests.start({ body: { deviceId: device.id } }),
    onSuccess: (test) =>
      navigate({ to: "/restore-tests/$restoreTestId", params: { restoreTestId: test.id } }),
    onError: (cause) => tell("Cannot test now", cause),
  });
}

function tell(title: string, cause: unknown): void {
  notifications.show({ title, message: problemOf(cause).message, color: "red", autoClose: 12_000 });
}
