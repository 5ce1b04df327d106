import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { NewPerson, PEOPLE_GROUP, Person, PersonChange, PersonRevision } from "../../shared/people/person.ts";
import { scrubPerson } from "../../shared/tenants/scrub.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { changeOf, stamped } from "./change.ts";
import { answerRevision, appendNext, ETAG, IF_MATCH } from "./if-match.ts";

type PeopleDeps = Pick<Deps, "clock"> & { readonly control: Pick<Deps["control"], "people"> };

/** `/admin/people`: who operates Weir, and what they may do. */
export function peopleRoutes(deps: PeopleDeps) {
  const { people } = deps.control;
  return new Hono<EdgeEnv>()
    .post("/", async (c) => c.json(await createPerson(deps, c), 201))
    .get("/", async (c) => {
      const page = await people.list(PEOPLE_GROUP, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    })
    .get("/:id", async (c) => answerRevision(c, shown(await personOf(deps, c.req.param("id")))))
    .patch("/:id", async (c) => answerRevision(c, await changePerson(deps, c)))
    .delete("/:id", async (c) => c.json(await erasePerson(deps, c), 202))
    .get("/:id/history", async (c) => {
      const { body } = await personOf(deps, c.req.param("id"));
      const page = await people.history(body.id, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    });
}

/** The person of that id; fails with `not_found`. */
export async function personOf({ control }: Pick<PeopleDeps, "control">, id: string): Promise<Revision<Person>> {
  const person = Person.shape.id.safeParse(id).success ? await control.people.current(id) : undefined;
  if (person === undefined) throw new Failure("not_found", `There is no person '${id.slice(0, 100)}'.`, { field: "person" });
  return person;
}

async function createPerson(deps: PeopleDeps, c: EdgeContext) {
  const { why, ...person } = await readJson(c, NewPerson);
  if ((await deps.control.people.current(person.id)) !== undefined) {
    throw new Failure("conflict", `There is a person '${person.id}' already.`, { field: "id" });
  }
  const body = { ...person, isActive: true };
  return shown(await deps.control.people.append(person.id, 0, { body, change: changeOf(c, deps.clock, why) }));
}

async function changePerson(deps: PeopleDeps, c: EdgeContext) {
  const { why, ...changes } = await readJson(c, PersonChange);
  const current = await personOf(deps, c.req.param("id") ?? "");
  const { id } = current.body;
  // Nobody raises themselves, and nobody is the last one who could undo it.
  const isOwnRank = id === c.get("principal").person && (changes.role !== undefined || changes.isActive !== undefined);
  if (isOwnRank) throw new Failure("conflict", "Nobody changes their own role: ask another operator.", { field: "id" });
  if (current.body.erasure !== undefined) throw new Failure("conflict", `The person '${id}' is erased.`, { field: "id" });
  const body = Person.parse({ ...current.body, ...changes });
  return shown(await appendNext(c, deps.control.people, { id, current, body, change: changeOf(c, deps.clock, why) }));
}

/** The name goes at once, and from older revisions and keys by the caretaker. Erasing twice changes nothing. */
async function erasePerson(deps: PeopleDeps, c: EdgeContext) {
  const current = await personOf(deps, c.req.param("id") ?? "");
  const { id, erasure } = current.body;
  if (id === c.get("principal").person) throw new Failure("conflict", "Nobody erases themselves: ask another operator.", { field: "id" });
  if (erasure !== undefined) return shown(current);
  const change = changeOf(c, deps.clock, undefined);
  const requestedAt = new Date(change.atMs).toISOString();
  const body = { ...scrubPerson(current.body), isActive: false, erasure: { requestedAt } };
  return shown(await deps.control.people.append(id, current.revision, { body, change }));
}

function shown(person: Revision<Person>): PersonRevision {
  return stamped(person.body, person);
}

export const peoplePaths: PathGroup = {
  name: "people",
  summary: "Who operates Weir. A person's keys have the rights of the role, within 30 s of a change",
  failure: FailureAnswer,
  paths: [
    {
      method: "post",
      path: "/admin/people",
      summary: "Makes a person",
      scope: "operate",
      body: NewPerson,
      answer: { status: 201, summary: "The person", schema: PersonRevision },
      refusals: ["conflict"],
    },
    {
      method: "get",
      path: "/admin/people",
      summary: "Lists people",
      scope: "operate",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(PersonRevision) },
    },
    {
      method: "get",
      path: "/admin/people/{id}",
      summary: "Shows a person",
      scope: "operate",
      headersOut: [ETAG],
      answer: { status: 200, summary: "The person", schema: PersonRevision },
      refusals: ["not_found"],
    },
    {
      method: "patch",
      path: "/admin/people/{id}",
      summary: "Changes a person's name or role, or whether they may do anything; nobody changes their own role",
      scope: "operate",
      body: PersonChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The person", schema: PersonRevision },
      refusals: ["not_found", "conflict", "precondition_failed"],
    },
    {
      method: "delete",
      path: "/admin/people/{id}",
      summary:
        "Ends a person and erases the name, in every revision, and what the person's keys tell. Who changed what stays, by the person's id",
      scope: "operate",
      headers: [{ name: "Weir-Reason", summary: "Why; kept in the history" }],
      answer: {
        status: 202,
        summary: "The person; `erasure.finishedAt` says when all was looked for again and not found",
        schema: PersonRevision,
      },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "get",
      path: "/admin/people/{id}/history",
      summary: "Lists what a person was, newest first",
      scope: "operate",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(PersonRevision) },
      refusals: ["not_found"],
    },
  ],
};
