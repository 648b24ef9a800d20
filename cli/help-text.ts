/** Paragraphs of help, folded to a terminal's width as the argument parser folds its own part. */

/** Lines that begin with a space are options and examples, and stay as they are. */
export function foldParagraphs(text: string, width: number): string {
  return text.replace(/(?:^\S.*\n?)+/gm, (paragraph) => {
    if (paragraph.split("\n").every((line) => line.length <= width)) return paragraph;
    const ending = paragraph.endsWith("\n") ? "\n" : "";
    return `${foldWords(paragraph.trim().split(/\s+/), width).join("\n")}${ending}`;
  });
}

function foldWords(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
