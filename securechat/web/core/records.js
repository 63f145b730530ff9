/** Placeholder until `tools/web_records.py` writes this file. @typedef {{id: number, name: string}} Person @typedef {any} Message @typedef {any} MessageChange @typedef {any} Command @typedef {any} Event @typedef {any} RoomRules */
export {};
