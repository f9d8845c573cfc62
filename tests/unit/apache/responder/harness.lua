-- Runs a responder as mod_lua does, with a request that is none. Reads cases from its input, each a line that returns a table
-- of Lua, and writes what came of each as a line of JSON, whose characters are bytes.
--
-- A case: script (a path), call (a function of it), request (fields of mod_lua's request_rec, and body), buckets (what an
-- output filter is given).

local MOST_STEPS = 20000000
-- What mod_lua's request has beside its tables and functions; only those that the responder may read or write.
local FIELDS = { "args", "content_type", "filename", "hostname", "is_https", "method", "status", "unparsed_uri", "uri" }

local function json(value)
  if type(value) == "string" then
    return '"' .. string.gsub(value, '[%c"\\\127-\255]', function(byte)
      return string.format("\\u%04x", string.byte(byte))
    end) .. '"'
  end
  if type(value) ~= "table" then
    return tostring(value)
  end
  local items = {}
  for key, item in pairs(value) do
    items[#items + 1] = json(tostring(key)) .. ":" .. json(item)
  end
  return "{" .. table.concat(items, ",") .. "}"
end

local function answer(message)
  io.write(json(message), "\n")
  io.flush()
end

-- The other side knows SHA-1.
local function sha1(_, text)
  answer({ sha1 = text })
  return (io.read("l"))
end

local function any_case(headers)
  local lowered = {}
  for name, value in pairs(headers) do
    lowered[string.lower(name)] = value
  end
  return setmetatable({}, { __index = function(_, name) return lowered[string.lower(name)] end })
end

-- A request, and what it will have become. Fields that mod_lua does not have are errors.
local function new_request(given, memory)
  local values = { status = 200, method = "GET", uri = "/", hostname = "", is_https = false }
  for name, value in pairs(given) do
    values[name] = value
  end
  local written, log = {}, {}
  local state = { headers_out = {}, subprocess_env = {} }
  local known = {
    headers_in = any_case(given.headers_in or {}),
    headers_out = state.headers_out,
    subprocess_env = state.subprocess_env,
    requestbody = function() return given.body end,
    write = function(_, text) written[#written + 1] = text end,
    flush = function() end,
    err = function(_, text) log[#log + 1] = text end,
    sha1 = sha1,
    clock = function() return given.clock or 0 end,
    ivm_get = function(_, name) return memory[name] end,
    ivm_set = function(_, name, value) memory[name] = value end,
  }
  local is_field = {}
  for _, name in ipairs(FIELDS) do
    is_field[name] = true
  end
  local request = setmetatable({}, {
    __index = function(_, name)
      if known[name] == nil and not is_field[name] then
        error("no field of a request: " .. tostring(name))
      end
      return known[name] or values[name]
    end,
    __newindex = function(_, name, value)
      assert(is_field[name], "no field of a request: " .. tostring(name))
      values[name] = value
    end,
  })
  return request, function()
    return {
      status = values.status, content_type = values.content_type, filename = values.filename, body = table.concat(written),
      headers = state.headers_out, variables = state.subprocess_env, log = log,
    }
  end
end

local scripts = {}

local function loaded(path)
  if not scripts[path] then
    local globals = setmetatable({ apache2 = { OK = 0, DECLINED = -1 } }, { __index = _G })
    assert(loadfile(path, "t", globals))()
    scripts[path] = { globals = globals, memory = {} }
  end
  return scripts[path]
end

-- Runs to the end, or to a step that no answer takes.
local function bounded(work)
  local steps = 0
  debug.sethook(function()
    steps = steps + 1000
    assert(steps < MOST_STEPS, "endless")
  end, "", 1000)
  local done = table.pack(pcall(work))
  debug.sethook()
  if not done[1] then
    return { error = tostring(done[2]) }
  end
  return { returned = done[2], steps = steps }
end

-- What an output filter makes of a body (mod_lua.c, lua_output_filter_handle): it is called once before the buckets, and once
-- without one after them, and each time it yields one text.
local function filter(globals, name, request, buckets)
  local run = coroutine.wrap(globals[name])
  local made = { count = select("#", run(request)), text = "" }
  local function take(...)
    assert(select("#", ...) == 1 and type(...) == "string", "one text is to be yielded")
    made.text = made.text .. ...
  end
  for _, bucket in ipairs(buckets) do
    globals.bucket = bucket
    take(run())
  end
  globals.bucket = nil
  take(run())
  return made.text
end

for line in io.lines() do
  local case = assert(load(line))()
  local script = loaded(case.script)
  local request, result = new_request(case.request, script.memory)
  local filtered
  local message = bounded(function()
    if case.buckets then
      filtered = filter(script.globals, case.call, request, case.buckets)
      return 0
    end
    return script.globals[case.call](request)
  end)
  for name, value in pairs(result()) do
    message[name] = value
  end
  message.filtered = filtered
  answer(message)
end
