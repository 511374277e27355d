// run.mjs NAME... - the parts of the browser test, one after the other.
import { failed } from "./support.mjs";

for (const name of process.argv.slice(2)) {
  await (await import(`./${name}.mjs`)).main();
}
process.exit(failed() ? 1 : 0);
