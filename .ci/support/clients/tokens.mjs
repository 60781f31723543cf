// Counts tokens (o200k): a JSON list of texts on stdin, a JSON list of numbers on stdout.
import { text } from "node:stream/consumers"
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"

const texts = JSON.parse(await text(process.stdin))
process.stdout.write(JSON.stringify(texts.map((one) => countTokens(one, { allowedSpecial: "all" }))))
