// What viewers may use of the page, also those of outside packages: import { h } from "../../kit.js".

export { pieces, request } from "./api.js";
export { announce, h, icon, iconButton, notice, openDialog, quietButton } from "./dom.js";
export { suffixOf, word } from "./doors.js";
export { number, t } from "./i18n.js";
export { addressOf, blobOf, download, fileName, mediaTypeOf, modalityOf, urlOfBlob } from "./media.js";
export { marker } from "./marker.js";
