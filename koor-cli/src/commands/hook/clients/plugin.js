// Koor's hooks for opencode and Kilo Code. `koor hooks install` wrote this file, and `koor hooks uninstall` removes it.
import { spawn } from "node:child_process"

const COMMAND = {{command}}

function koor(event, limit = 10_000) {
  return new Promise((resolve) => {
    const child = spawn(COMMAND[0], COMMAND.slice(1), { cwd: event.cwd, stdio: ["pipe", "pipe", "ignore"], timeout: limit })
    let out = ""
    child.on("error", () => resolve({}))
    child.stdin.on("error", () => {})
    child.stdout.on("data", (data) => { out += data })
    child.on("close", () => { try { resolve(out ? JSON.parse(out) : {}) } catch { resolve({}) } })
    child.stdin.end(JSON.stringify(event))
  })
}

export const KoorPlugin = async ({ client, directory }) => {
  const known = new Set()
  const event = (hook_event_name, session_id, more = {}) => ({ hook_event_name, session_id, cwd: directory, ...more })
  return {
    event: async ({ event: { type, properties } }) => {
      if (type === "session.idle") {
        const answer = await koor(event("stop", properties.sessionID), 600_000)
        if (answer.continue) {
          const body = { parts: [{ type: "text", text: answer.continue }] }
          await client.session.prompt({ path: { id: properties.sessionID }, body }).catch(() => {})
        }
      } else if (type === "session.deleted") {
        await koor(event("session-end", properties.sessionID ?? properties.info?.id))
      }
    },
    "chat.message": async (input, output) => {
      const part = output.parts.find((one) => one.type === "text")
      if (!part) return
      const texts = []
      if (!known.has(input.sessionID)) {
        known.add(input.sessionID)
        texts.push((await koor(event("session-start", input.sessionID))).context)
      }
      const answer = await koor(event("prompt", input.sessionID, { prompt: part.text }))
      if (answer.deny) throw new Error(answer.deny)
      texts.push(answer.context)
      const said = texts.filter(Boolean)
      if (said.length) part.text += "\n\n" + said.join("\n")
    },
    "shell.env": async (input, output) => { if (input.sessionID) output.env.KOOR_SESSION = input.sessionID },
    "tool.execute.before": async (input, output) => {
      const more = { tool_name: input.tool, tool_input: output.args }
      const answer = await koor(event("before-tool", input.sessionID, more))
      if (answer.deny) throw new Error(answer.deny)
    },
    "tool.execute.after": async (input, output) => {
      const more = { tool_name: input.tool, tool_input: input.args ?? {} }
      const answer = await koor(event("after-tool", input.sessionID, more))
      if (answer.context) output.output += "\n" + answer.context
    },
  }
}
