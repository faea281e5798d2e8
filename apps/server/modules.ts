/** The list of modules, in the order of their needs: adding one to the product is adding it here. */

import type { AgentHooks, ModuleDeclaration, ModuleParts, Platform, SocketMount } from "@mainstay/platform";
import { createDirectory, directoryDeclaration } from "@mainstay/directory";
import { createProtection, protectionDeclaration } from "@mainstay/protection";
import { createBoard } from "./agents/board.ts";
import { agentsDeclaration, agentSocket } from "./agents/endpoint.ts";
import { agentsFollowDevices } from "./flows/agents-follow-devices.ts";

export const declarations: readonly ModuleDeclaration[] = [
  directoryDeclaration,
  agentsDeclaration,
  protectionDeclaration,
];

export type StandingModules = {
  readonly modules: readonly ModuleParts[];
  readonly sockets: readonly SocketMount[];
};

/** Builds every module on the platform and ties them by flows. Nothing runs yet. */
export async function createModules(platform: Platform): Promise<StandingModules> {
  const directory = createDirectory(platform);
  const board = createBoard(platform, directory.door);
  const protection = await createProtection({ platform, directory: directory.door, agents: board.link });
  const modules: readonly ModuleParts[] = [directory, protection];
  const hooks = modules.flatMap((part): readonly AgentHooks[] =>
    part.agents === undefined ? [] : [part.agents],
  );
  agentsFollowDevices(platform, board.link);
  return { modules, sockets: [agentSocket({ platform, directory: directory.door, hooks }, board)] };
}
