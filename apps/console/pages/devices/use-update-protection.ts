/** Changing what is promised for a device; what is shown afterwards is what the server then says. */

import type { DeviceId } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import { deviceProtectionQuery } from "../../api/queries.ts";

export type ProtectionChange = Parameters<typeof api.deviceProtection.update>[0]["body"];

export function useUpdateProtection(deviceId: DeviceId, onDone?: () => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: ProtectionChange) => api.deviceProtection.update({ params: { deviceId }, body }),
    onSuccess: (protection) => {
      queries.setQueryData(deviceProtectionQuery(deviceId).queryKey, protection);
      void queries.invalidateQueries({ queryKey: ["overview"] });
      onDone?.();
    },
  });
}
