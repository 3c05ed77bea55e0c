// Any medium that has no viewer of its own: a link to download it.

import { h, icon } from "../dom.js";
import { addressOf, blobOf, modalityOf } from "../media.js";

/** The viewer, given what the doors know of a modality: the suffix of a file, and the words. */
export const downloadViewer = ({ suffixOf, word }) => ({
  show(part) {
    const url = addressOf(part);
    const modality = modalityOf(part);
    const href = URL.createObjectURL(blobOf(url));
    const link = { class: "quiet-button", href, download: `${modality}.${suffixOf(modality, url)}` };
    return h("a", link, icon("download"), h("span", {}, word(modality, "download")));
  },
});
