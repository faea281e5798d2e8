/** The OpenAPI 3.1 document, made from the route table. */

import { z } from "zod";
import { auditEntry, openSession, session, user } from "./access.ts";
import { customer, device, enrolmentToken, site } from "./directory.ts";
import { errorCodes } from "./errors.ts";
import { probeResult, timelineEntry } from "./machine.ts";
import { peer, peerRecoverySession, peerRepository, peerRestoreTest } from "./peer.ts";
import { deviceProtection, protectionPlan, repository, vault } from "./plans-and-vaults.ts";
import { deviceOverview, protectionStatus, restorePoint, run } from "./protection.ts";
import { evidenceRecord, recoverySession, restoreTest } from "./recovery.ts";
import { errorsOf, type Route } from "./route.ts";
import { allRoutes } from "./routes.ts";
import { errorBody } from "./values.ts";

type Json = { readonly [key: string]: unknown };

/** Nouns that stand once under `components` instead of in every answer that holds them. */
const nouns: Readonly<Record<string, z.ZodType>> = {
  AuditEntry: auditEntry,
  Customer: customer,
  Device: device,
  DeviceOverview: deviceOverview,
  DeviceProtection: deviceProtection,
  EnrolmentToken: enrolmentToken,
  Error: errorBody,
  EvidenceRecord: evidenceRecord,
  OpenSession: openSession,
  Peer: peer,
  PeerRecoverySession: peerRecoverySession,
  PeerRepository: peerRepository,
  PeerRestoreTest: peerRestoreTest,
  ProbeResult: probeResult,
  ProtectionPlan: protectionPlan,
  ProtectionStatus: protectionStatus,
  RecoverySession: recoverySession,
  Repository: repository,
  RestorePoint: restorePoint,
  RestoreTest: restoreTest,
  Run: run,
  Session: session,
  Site: site,
  TimelineEntry: timelineEntry,
  User: user,
  Vault: vault,
};

const nounNames = z.registry<{ id: string }>();
for (const [id, schema] of Object.entries(nouns)) nounNames.add(schema, { id });

export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const { name, route } of allRoutes()) {
    const path = route.path.replace(/:([A-Za-z]+)/g, "{$1}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(name, route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Mainstay",
      version: "1",
      license: { name: "AGPL-3.0-only", identifier: "AGPL-3.0-only" },
    },
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        session: { type: "apiKey", in: "cookie", name: "mainstay_session" },
        peer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

function operationOf(name: string, route: Route): Json {
  return {
    operationId: name,
    tags: [name.split(".")[0]],
    summary: route.summary,
    security: securityOf(route),
    ...(route.access === "public" || route.access === "peer" ? {} : { "x-role": route.access }),
    parameters: [...parametersOf(route.params, "path"), ...parametersOf(route.query, "query")],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: jsonOf(schemaOf(route.body, "input")) } }),
    responses: { ...answerOf(route), ...failuresOf(route) },
  };
}

function securityOf(route: Route): readonly Json[] {
  if (route.access === "public") return [];
  return route.access === "peer" ? [{ peer: [] }] : [{ session: [] }];
}

function parametersOf(schema: z.ZodObject | undefined, place: "path" | "query"): readonly Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, part]) => ({
    name,
    in: place,
    required: place === "path" || !z.safeParse(part, undefined).success,
    // A ZodObject's shape holds core types; every part here is made by zod's classic constructors.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    schema: schemaOf(part as z.ZodType, "input"),
  }));
}

function answerOf(route: Route): Json {
  if (route.output === "nothing") return { 204: { description: "Done" } };
  if (typeof route.output === "string") {
    return {
      200: {
        description: "Done",
        content: { [route.output]: { schema: { type: "string", format: "binary" } } },
      },
    };
  }
  return { 200: { description: "Done", content: jsonOf(schemaOf(route.output, "output")) } };
}

function failuresOf(route: Route): Json {
  const byStatus: Record<number, string[]> = {};
  for (const code of errorsOf(route)) (byStatus[errorCodes[code].status] ??= []).push(code);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes]) => [
      status,
      { description: codes.join(", "), content: jsonOf({ $ref: "#/components/schemas/Error" }) },
    ]),
  );
}

function jsonOf(schema: Json): Json {
  return { "application/json": { schema } };
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(nounNames, {
    io: "output",
    unrepresentable: "any",
    uri: (id) => `${COMPONENTS}${id}`,
  });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutHead(schema)]));
}

const COMPONENTS = "#/components/schemas/";

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  if (io === "input") return withoutHead(z.toJSONSchema(schema, { io, unrepresentable: "any" }));
  const made = withoutHead(z.toJSONSchema(schema, { io, unrepresentable: "any", metadata: nounNames }));
  // zod writes each noun below the schema that uses it; ours stand once under components.
  const text = JSON.stringify(made).replaceAll('"#/$defs/', `"${COMPONENTS}`);
  const id = nounNames.get(schema)?.id;
  return id === undefined ? JSON.parse(text) : { $ref: `${COMPONENTS}${id}` };
}

function withoutHead(schema: Json): Json {
  return Object.fromEntries(
    Object.entries(schema).filter(([name]) => !["$schema", "$defs", "$id"].includes(name)),
  );
}
