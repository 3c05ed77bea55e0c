// From a file that a person gives to a part of a message.

import { chooseDialog } from "../dom.js";
import { modalitiesOfFile, namesOf, readFile, word } from "../doors.js";
import { t } from "../i18n.js";
import { mediaPart } from "../media.js";

/**
 * A file as a part of one of `modalities`; where several take it, the person is asked, and null says that they did not
 * choose. Throws a sentence for a file that none of them takes.
 */
export async function partOfFile(file, modalities) {
  const fitting = modalitiesOfFile(file, modalities);
  if (!fitting.length) throw new Error(refusal(file, modalities));
  const modality = fitting.length === 1 ? fitting[0] : await which(file, fitting);
  return modality && mediaPart(modality, await readFile(modality, file));
}

function refusal(file, modalities) {
  if (!modalities.length) return t("error.kind.words", { file: file.name });
  return t("error.kind", { file: file.name, names: namesOf(modalities) });
}

const which = (file, modalities) =>
  chooseDialog(
    t("chat.which", { file: file.name }),
    modalities.map((modality) => ({ label: word(modality, "name"), value: modality })),
    t("action.cancel"),
  );
