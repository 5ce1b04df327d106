import { expect, test } from "vitest";
import { checkEngineName, type EngineRules, parseEngineCredential, reachOfEngine } from "./engine-rules.ts";

const NAME = "WEIR_UPSTREAM_A";
const bound = (...origins: string[]) => new Map([[NAME, { value: "secret", origins }]]);
const rules = (more: Partial<EngineRules> = {}): EngineRules => ({ origins: [], credentials: new Map(), ...more });
const to = (url: string, credential?: string) => ({ url, model: "m", ...(credential === undefined ? {} : { credential }) });

test("a credential says its key and the origins that it may be sent to", () => {
  const text = JSON.stringify({
    value: "sk-1",
    origins: ["https://API.example.com/", "http://10.0.3.7:8000", "https://[2001:DB8::1]", "https://bücher.example:443"],
  });

  expect(parseEngineCredential(NAME, text)).toEqual({
    value: "sk-1",
    origins: ["https://api.example.com", "http://10.0.3.7:8000", "https://[2001:db8::1]", "https://xn--bcher-kva.example"],
  });
});

test.each([
  ["a key alone, as it was before", "sk-secret"],
  ["a key alone, in JSON", '"sk-secret"'],
  ["no origins", '{"value":"sk-secret"}'],
  ["an empty list", '{"value":"sk-secret","origins":[]}'],
  ["a path", '{"value":"sk-secret","origins":["https://api.example.com/v1"]}'],
  ["a user", '{"value":"sk-secret","origins":["https://u:p@api.example.com"]}'],
  ["a pattern", '{"value":"sk-secret","origins":["https://*.example.com"]}'],
  ["another scheme", '{"value":"sk-secret","origins":["ftp://api.example.com"]}'],
  ["no scheme", '{"value":"sk-secret","origins":["api.example.com"]}'],
  ["a line break in the key", '{"value":"sk-secret\\n","origins":["https://api.example.com"]}'],
  ["something more", '{"value":"sk-secret","origins":["https://api.example.com"],"orgins":[]}'],
])("%s is refused by the variable's name, and its key is not repeated", (_, text) => {
  const parse = () => parseEngineCredential(NAME, text);

  expect(parse).toThrow(/^WEIR_UPSTREAM_A: /);
  expect(parse).not.toThrow("secret");
});

test("a key goes to the origins that it is bound to, and those are named by that", () => {
  const credentials = bound("http://10.0.3.7:8000");

  expect(reachOfEngine(rules({ credentials }), to("http://10.0.3.7:8000/v1", NAME))).toBe("named");
  expect(reachOfEngine(rules({ credentials }), to("http://10.0.3.7:8000/v1"))).toBe("named");
});

test.each([
  ["https://evil.example.com/v1"],
  ["http://10.0.3.7:8001/v1"],
  ["https://10.0.3.7:8000/v1"],
  ["http://10.0.3.7.evil.example.com:8000/v1"],
])("a key is not sent to %s, even where every engine may be called", (url) => {
  const asked = () => reachOfEngine(rules({ origins: "*", credentials: bound("http://10.0.3.7:8000") }), to(url, NAME));

  expect(asked).toThrow("upstream.credential: WEIR_UPSTREAM_A may be sent to http://10.0.3.7:8000, and not to http");
});

test("a key that is not there is refused", () => {
  expect(() => reachOfEngine(rules({ origins: "*" }), to("http://10.0.3.7/v1", NAME))).toThrow("has no WEIR_UPSTREAM_A");
});

test("public engines may be called by https, others if they are named", () => {
  expect(reachOfEngine(rules(), to("https://api.example.com/v1"))).toBe("public");
  expect(reachOfEngine(rules({ origins: ["http://127.0.0.1:8000"] }), to("http://127.0.0.1:8000/v1"))).toBe("named");
  expect(reachOfEngine(rules({ origins: "*" }), to("http://localhost/v1"))).toBe("named");
});

test.each([
  "http://api.example.com/v1",
  "http://127.0.0.1:8000/v1",
  "https://127.0.0.1/v1",
  "https://2130706433/v1",
  "https://localhost/v1",
  "https://10.0.3.7/v1",
  "https://169.254.169.254/latest",
  "https://metadata.google.internal/v1",
  "https://[::1]/v1",
  "https://[::ffff:10.0.3.7]/v1",
  "https://[fd00:ec2::254]/v1",
  "https://[64:ff9b::a00:307]/v1",
])("an engine at %s that nobody has named is refused, with what helps", (url) => {
  expect(() => reachOfEngine(rules({ origins: ["http://127.0.0.1:8001"] }), to(url))).toThrow(
    /^upstream\.url: must .*, or its origin be named in WEIR_ENGINE_ORIGINS\.$/,
  );
});

test("a public engine's name must lead to public addresses alone; a named one's is not looked up", async () => {
  const looked: string[] = [];
  const leadsTo = (...addresses: string[]) => {
    return async (host: string) => {
      looked.push(host);
      return addresses;
    };
  };
  const engine = to("https://api.example.com:8443/v1");

  await checkEngineName(rules(), engine, leadsTo("93.184.216.34"));
  await expect(checkEngineName(rules(), engine, leadsTo("93.184.216.34", "10.0.0.1"))).rejects.toThrow(
    "upstream.url: must lead to a public",
  );
  await expect(checkEngineName(rules(), engine, leadsTo())).rejects.toThrow("upstream.url: has a name that leads nowhere");
  await checkEngineName(rules({ origins: ["https://api.example.com:8443"] }), engine, leadsTo("10.0.0.1"));

  expect(looked).toEqual(Array(3).fill("api.example.com"));
});
