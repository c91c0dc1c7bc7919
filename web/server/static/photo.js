// A photo smaller than the camera made it, and without what the camera noted beside it.

/** The photo as JPEG, its longer side at most `most` pixels. Rejects where the file is none that this browser draws. */
export async function smaller(file, most, quality) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const share = Math.min(1, most / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * share)));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => {
    canvas.toBlob((small) => (small ? done(small) : fail(new Error("no picture came out"))), "image/jpeg", quality);
  });
}
