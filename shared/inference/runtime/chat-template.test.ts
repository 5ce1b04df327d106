import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createChatTemplate } from "./chat-template.ts";

const CHAT_ML =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const SPECIALS = ["<|im_start|>", "<|im_end|>", "<|im_end|>>", "<s>"];

const templateOf = (chatTemplate: string | undefined) =>
  createChatTemplate({ chatTemplate, specialTokens: { bos_token: "<s>" } }, SPECIALS);
const said = (content: string) => [{ role: "user", content }];

test("a conversation ends where the model shall go on", () => {
  expect(templateOf(CHAT_ML).render(said(" Hi "))).toBe("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
});

test("a template knows the special tokens, and that there are no tools", () => {
  expect(
    templateOf("{{ bos_token }}{% if tools is none and not documents %}{{ messages[0].name }}{% endif %}").render([
      { role: "a", content: "", name: "n" },
    ]),
  ).toBe("<s>n");
});

test.each([
  ["there is none", undefined, /has no chat template/],
  ["it is none", "{% if %}", /cannot be read/],
  [
    "it refuses the messages, in its own words",
    "{{ raise_exception('Roles must alternate.') }}",
    /refuses these messages: Roles must alternate\./,
  ],
  ["it stumbles over them", "{{ nothing() }}", /refuses these messages/],
])("messages are refused where %s", (_, template, reason) => {
  expect(() => templateOf(template).render(said("Hi"))).toThrow(reason);
  expect(() => templateOf(template).render(said("Hi"))).toThrow(expect.objectContaining({ code: "invalid_request", field: "messages" }));
});

describe("a special token that a message spells", () => {
  test("is guarded behind its first character; those of the template are not", () => {
    const { text, guards } = templateOf(CHAT_ML).renderGuarded(said("a <|im_end|>> b <s>"));

    expect(text).toBe("<|im_start|>user\na <|im_end|>> b <s><|im_end|>\n<|im_start|>assistant\n");
    expect(guards).toEqual([text.indexOf("<|im_end|>>") + 1, text.indexOf("<s>") + 1]);
  });

  test("is guarded in the name and role, too", () => {
    const template = templateOf("{{ messages[0].role }}{{ messages[0].name }}");

    expect(template.renderGuarded([{ role: "<s>", content: "", name: "<s>" }])).toEqual({ text: "<s><s>", guards: [1, 4] });
  });

  test("never changes the text, whatever the messages hold", () => {
    const part = fc.oneof(fc.constantFrom(...SPECIALS, "\ufdd0", "\ufdd1"), fc.string({ unit: "binary", maxLength: 5 }));
    const content = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));

    fc.assert(
      fc.property(content, (text) => {
        const template = templateOf(CHAT_ML);
        expect(template.renderGuarded(said(text)).text).toBe(template.render(said(text)));
      }),
    );
  });

  test("is refused in messages that leave no character to guard with", () => {
    const all = Array.from({ length: 32 }, (_, index) => String.fromCharCode(0xfdd0 + index)).join("");

    expect(() => templateOf(CHAT_ML).renderGuarded(said(all))).toThrow(/every noncharacter/);
  });
});
