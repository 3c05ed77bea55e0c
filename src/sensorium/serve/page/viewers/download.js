// Any medium that has no viewer of its own: a link to download it.

import { h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { blobOf, modalityOf, suffixOf, urlOf } from "../media.js";

export default {
  show(part) {
    const url = urlOf(part);
    const modality = modalityOf(part);
    const href = URL.createObjectURL(blobOf(url));
    const link = { class: "quiet-button", href, download: `${modality}.${suffixOf(url)}` };
    return h("a", link, icon("download"), h("span", {}, t("viewer.download", { modality })));
  },
};
