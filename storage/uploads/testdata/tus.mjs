// Uploads a file as the page does, with tus-js-client, and says on standard
// output what happens, one JSON object a line.
//   node tus.mjs MODULE ENDPOINT TOKEN FILE URLS upload|cancel
import { createReadStream, statSync } from "node:fs";
import { createRequire } from "node:module";

const [module, endpoint, token, file, urls, what] = process.argv.slice(2);
const { FileUrlStorage, Upload } = createRequire(import.meta.url)(module);
const say = (event, data = {}) => console.log(JSON.stringify({ event, ...data }));

const upload = new Upload(createReadStream(file), {
  endpoint,
  chunkSize: 512 * 1024,
  uploadSize: statSync(file).size,
  retryDelays: [0, 100, 200, 400, 800, 1600],
  headers: { Authorization: `Bearer ${token}` },
  metadata: { filename: "Conférence.mp4", filetype: "video/mp4", fingerprint: "same file" },
  urlStorage: new FileUrlStorage(urls),
  fingerprint: async () => "same file",
  storeFingerprintForResuming: true,
  removeFingerprintOnSuccess: true,
  onChunkComplete: (_, sent, total) => {
    say("chunk", { sent, total });
    if (what === "cancel") upload.abort(true).then(() => say("cancelled"), (e) => say("error", { text: String(e) }));
  },
  onShouldRetry: (e) => {
    const status = e.originalResponse ? e.originalResponse.getStatus() : 0;
    say("failed", { status });
    return status === 0 || status >= 500 || status === 409 || status === 423;
  },
  onError: (e) => say("error", { status: e.originalResponse ? e.originalResponse.getStatus() : 0, text: e.message }),
  onSuccess: () => say("done", { url: upload.url }),
});

const before = await upload.findPreviousUploads();
say("start", { found: before.length });
if (before.length > 0) upload.resumeFromPreviousUpload(before[0]);
upload.start();
