// Parts in the OpenAI form, and media between files, data URIs and downloads. Nothing here knows a modality.

export const textPart = (text) => ({ type: "text", text });
export const mediaPart = (modality, url) => ({ type: `${modality}_url`, [`${modality}_url`]: { url } });

/** "text" of a text part, "smell" of a part of type smell_url, input_smell or smell. */
export const modalityOf = (part) => part.type.replace(/_url$/, "").replace(/^input_/, "");

/** The data URI of a medium, whichever of the API's forms it has; undefined for text, and for codes alone. */
export function addressOf(part) {
  const value = part.type === "text" ? undefined : part[part.type];
  if (value === undefined || typeof value === "string") return value;
  if (value.url) return value.url;
  return `data:${modalityOf(part)}/${value.format};base64,${value.data}`;
}

/** What copies have in common: the words of a text; of a medium its codes, or where there are none its bytes. */
export const sameness = (part) => JSON.stringify(part.codes ?? addressOf(part) ?? part.text);

/** The bytes of a data URI. Anything else is refused: this page fetches no addresses. */
export function blobOf(url) {
  const [, type, base64, data] = /^data:([^;,]*)[^,]*?(;base64)?,(.*)$/s.exec(url) ?? [];
  if (data === undefined) throw new TypeError("not a data URI");
  if (!base64) return new Blob([decodeURIComponent(data)], { type });
  return new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type });
}

export function urlOfBlob(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

export const mediaTypeOf = (url) => /^data:([^;,]*)/.exec(url)?.[1] ?? "";

/** A name for a file from free words. */
export function fileName(words) {
  const plain = words.normalize("NFD").replace(/[^\p{L}\p{N}]+/gu, "-");
  return (
    plain
      .replace(/^-+|-+$/g, "")
      .slice(0, 40)
      .toLowerCase() || "sensorium"
  );
}

/** Hand a blob to the person as a file. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
