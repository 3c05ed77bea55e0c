// A photo from the camera: live in the page, or through the telephone's own camera where the page may not.

import { h, openDialog } from "../dom.js";
import { t } from "../i18n.js";

/** A JPEG file, or null when the person closed the camera. */
export async function takePicture() {
  const live = await stream();
  return live ? fromStream(live) : fromFileChooser();
}

async function stream() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return null; // no camera, not allowed, or no secure connection
  }
}

function fromFileChooser() {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", accept: "image/*", capture: "environment" });
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

function fromStream(live) {
  return new Promise((resolve) => {
    const video = h("video", { autoplay: true, muted: true, playsInline: true, srcObject: live });
    const shutter = h("button", { type: "button", class: "main-button", onclick: shoot }, t("camera.shoot"));
    const cancel = h(
      "button",
      { type: "button", class: "quiet-button", onclick: () => dialog.close() },
      t("action.cancel"),
    );
    const dialog = openDialog(t("chat.camera"), video, h("div", { class: "row end" }, cancel, shutter));
    dialog.classList.add("camera");
    dialog.addEventListener("close", () => {
      for (const track of live.getTracks()) track.stop();
      resolve(null); // no effect after a photo
    });
    shutter.focus();

    function shoot() {
      const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob(
        (blob) => {
          resolve(blob && new File([blob], "camera.jpg", { type: blob.type }));
          dialog.close();
        },
        "image/jpeg",
        0.9,
      );
    }
  });
}
