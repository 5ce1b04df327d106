import PDFDocument from "pdfkit";

/** A4 in points. */
const MARGIN = 50;
export const LEFT = MARGIN;
export const WIDTH = 595.28 - 2 * MARGIN;
const BOTTOM = 841.89 - MARGIN - 24;
const SIZE = { small: 7.5, normal: 9, large: 20 } as const;
const ROW_GAP = 2;
const GREY = "#666666";
const BLACK = "#111111";

/** Typefaces to embed, as files or bytes; without them the PDF standard's Helvetica is used, which knows Western European letters only, for tests that read texts. */
export type PdfFonts = { readonly regular: string | Uint8Array; readonly bold: string | Uint8Array };

export type Style = {
  readonly size?: keyof typeof SIZE;
  readonly isBold?: boolean;
  readonly isGrey?: boolean;
  readonly align?: "left" | "right";
};
export type Box = { readonly x?: number; readonly width?: number };

export type Cell = Box & { readonly text: string; readonly style?: Style };

/** A document that is being written from top to bottom. */
export type Sheet = { readonly pdf: PDFKit.PDFDocument; readonly letters: Letters; readonly chunks: Buffer[]; y: number };

/** What stands for characters that the typeface lacks, and what the last page then says of it. */
const LACKING = "[?]";
const LACKING_NOTE = `${LACKING} stands for characters that this document's typeface lacks; its JSON and CSV have them.`;

/** The same texts at the same time give the same bytes: nothing here reads a clock or chance. */
export function openSheet(info: { readonly title: string; readonly atMs: number }, fonts?: PdfFonts): Sheet {
  const pdf = new PDFDocument({
    size: "A4",
    margin: MARGIN,
    bufferPages: true,
    font: "", // none until one is asked for: a bundle has no standard fonts beside it
    info: { Title: info.title, Producer: "Weir", Creator: "Weir", CreationDate: new Date(info.atMs) },
  });
  pdf.registerFont("regular", fonts === undefined ? "Helvetica" : sourceOf(fonts.regular));
  pdf.registerFont("bold", fonts === undefined ? "Helvetica-Bold" : sourceOf(fonts.bold));
  const chunks: Buffer[] = [];
  pdf.on("data", (chunk: Buffer) => chunks.push(chunk));
  return { pdf, letters: createLetters(pdf, fonts !== undefined), chunks, y: MARGIN };
}

/** Moves to the next page if less than this is left; `head` begins that one. */
export function need(sheet: Sheet, points: number, head?: () => void) {
  if (sheet.y + points <= BOTTOM) return;
  sheet.pdf.addPage();
  sheet.y = MARGIN;
  head?.();
}

/** Writes a paragraph and moves below it. */
export function write(sheet: Sheet, text: string, { style = {}, ...box }: Omit<Cell, "text"> = {}) {
  const height = heightOf(sheet, { text, style, ...box });
  need(sheet, height);
  put(sheet, { text, style, ...box });
  sheet.y += height;
}

/** Writes cells side by side, and moves below the tallest. */
export function writeRow(sheet: Sheet, cells: readonly Cell[], head?: () => void) {
  const height = Math.max(...cells.map((cell) => heightOf(sheet, cell)));
  need(sheet, height, head);
  for (const cell of cells) put(sheet, cell);
  sheet.y += height + ROW_GAP;
}

export function drawLine(sheet: Sheet) {
  const y = sheet.y + 2;
  sheet.pdf
    .moveTo(LEFT, y)
    .lineTo(LEFT + WIDTH, y)
    .lineWidth(0.5)
    .strokeColor("#bbbbbb")
    .stroke();
  sheet.y += 6;
}

/** Runs two columns that begin at the same height, and goes on below the longer one. */
export function writeBeside(sheet: Sheet, left: () => void, right: () => void) {
  const top = sheet.y;
  left();
  const below = sheet.y;
  sheet.y = top;
  right();
  sheet.y = Math.max(below, sheet.y);
}

/** Numbers the pages and answers the bytes. */
export async function finishSheet(sheet: Sheet, footer: string): Promise<Uint8Array> {
  const { pdf, letters, chunks } = sheet;
  if (letters.areLacking()) write(sheet, LACKING_NOTE, { style: { size: "small", isGrey: true } });
  writeFooters(pdf, letters.clean(footer));
  const ended = new Promise((done) => pdf.once("end", done));
  pdf.end();
  await ended;
  return Buffer.concat(chunks);
}

function heightOf(sheet: Sheet, cell: Cell): number {
  setStyle(sheet, cell.style);
  return sheet.pdf.heightOfString(sheet.letters.clean(cell.text), optionsOf(cell));
}

function put(sheet: Sheet, cell: Cell) {
  setStyle(sheet, cell.style);
  sheet.pdf.text(sheet.letters.clean(cell.text), cell.x ?? LEFT, sheet.y, optionsOf(cell));
}

function setStyle({ pdf }: Sheet, { size = "normal", isBold = false, isGrey = false }: Style = {}) {
  pdf
    .font(isBold ? "bold" : "regular")
    .fontSize(SIZE[size])
    .fillColor(isGrey ? GREY : BLACK);
}

function optionsOf({ style = {}, width = WIDTH }: Cell) {
  return { width, align: style.align ?? "left", lineGap: 1.5 };
}

/** Below the margin, where pdfkit would begin a new page if the margin stayed. */
function writeFooters(pdf: PDFKit.PDFDocument, footer: string) {
  const { start, count } = pdf.bufferedPageRange();
  for (let page = start; page < start + count; page += 1) {
    pdf.switchToPage(page);
    pdf.page.margins.bottom = 0;
    pdf.font("regular").fontSize(SIZE.small).fillColor(GREY);
    pdf.text(`${footer} · page ${page + 1} of ${count}`, LEFT, BOTTOM + 14, { width: WIDTH, align: "right", lineBreak: false });
  }
}

function sourceOf(font: string | Uint8Array): string | Buffer {
  return typeof font === "string" ? font : Buffer.from(font);
}

/** What the standard's Helvetica has beyond Latin-1 (the encoding WinAnsi). */
const WIN_ANSI = new Set("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ");
/** Scripts that run from right to left, which pdfkit would set word by word in the wrong order, and pictures: left out even where the typeface has them. */
const NOT_SET = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]|\p{Emoji_Presentation}/u;

/** Makes texts such as the typeface can write, and knows whether it could not. */
type Letters = { readonly clean: (text: string) => string; readonly areLacking: () => boolean };

function createLetters(pdf: PDFKit.PDFDocument, isEmbedded: boolean): Letters {
  let isLacking = false;
  const has = isEmbedded ? embeddedHas(pdf) : standardHas;
  const mark = () => {
    isLacking = true;
    return LACKING;
  };
  return {
    areLacking: () => isLacking,
    clean(text: string): string {
      const composed = text.normalize("NFC").replace(/(?!\n)[\p{Cc}\p{Cf}]/gu, " ");
      // A run of them is one gap: a row of boxes says no more.
      return [...composed]
        .map((character) => (character === "\n" || has(character) ? character : "\0"))
        .join("")
        .replaceAll(/\0+/g, mark);
    },
  };
}

function standardHas(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return (code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xff) || WIN_ANSI.has(character);
}

type OutlineFont = { readonly font?: { readonly hasGlyphForCodePoint?: (codePoint: number) => boolean } };

/** Whether both weights have it: names stand in either. */
function embeddedHas(pdf: PDFKit.PDFDocument): (character: string) => boolean {
  const fonts = (["regular", "bold"] as const).map((name) => {
    pdf.font(name);
    // The typings leave out the font that is open; pdfkit keeps fontkit's object in it.
    return (pdf as unknown as { _font: OutlineFont })._font.font;
  });
  const hasIn = (character: string) => fonts.every((font) => font?.hasGlyphForCodePoint?.(character.codePointAt(0) ?? 0) === true);
  return (character) => !NOT_SET.test(character) && hasIn(character);
}
