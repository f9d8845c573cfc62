"""The responder: a script for Apache's mod_lua that answers Outlook personally, without a process of our own.

PRIVATE to the collection. The script finds the mail address in a request, validates it, fills it into the document on disk
and answers. It keeps nothing between requests, opens no file that a request names, and looks no mailbox up. One script a
provider, with the provider's domains in it. Protocols: Autodiscover for Exchange, "Autodiscover request (POX)" and "Error
(POX)"; for the JSON form, what Outlook was seen to ask and what mailcow, Stalwart and gromox answer.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

# Tells the requests that the script has answered on a site that is not ours from all others of that site.
MARK = "MAIL_AUTOCONFIG"
DOCUMENT, RESPONDER = "document", "responder"
_DOMAINS_IN_A_BUCKET = 16
_HASH_MODULUS = 65521


def script(
    header: str,
    domains: t.Sequence[str],
    path: str,
    files: t.Mapping[str, str],
    answer: bytes | None,
    ports: tuple[int, int],
) -> bytes:
    """Render the script.

    :arg header: a line of comment
    :arg domains: the provider's mail domains, the first for requests that name none; lower-case ASCII
    :arg path: where the script itself will lie
    :arg files: paths of the documents by service, ``autoconfig`` and ``autodiscover``; all paths are of checked letters
    :arg answer: the document with which the script answers Outlook itself; None if Outlook gets the file as it lies there
    :arg ports: for HTTP and HTTPS
    """
    http_port, https_port = ports
    buckets = _buckets(domains)
    values = {
        "HEADER": header,
        "BUCKETS": str(len(buckets)),
        "DOMAINS": "".join(f'  "{bucket}",\n' for bucket in buckets),
        "FILES": "".join(f'  {service} = "{file}",\n' for service, file in sorted(files.items())),
        "PRIMARY": domains[0],
        "TARGET": "FILES.autodiscover" if answer is None else f'"{path}"',
        "TARGET_KIND": DOCUMENT if answer is None else RESPONDER,
        "DIGEST": hashlib.sha256(answer or b"").hexdigest(),
        "DOCUMENT": DOCUMENT,
        "HTTP": "" if http_port == 80 else f":{http_port}",
        "HTTPS": "" if https_port == 443 else f":{https_port}",
        "MARK": MARK,
    }
    return re.sub("@([A-Z_]+)@", lambda match: values[match[1]], _SCRIPT).encode()


def _buckets(domains: t.Sequence[str]) -> list[str]:
    """The domains in strings of a few, by a hash that the script computes too.

    A table of ten thousand names would cost each of Apache's threads a megabyte, one long string a search through all of it.
    """
    buckets: list[list[str]] = [[] for _number in range(1 + len(domains) // _DOMAINS_IN_A_BUCKET)]
    for form in sorted({form for domain in domains for form in _forms(domain)}):
        buckets[_hash(form.encode()) % len(buckets)].append(form)
    return ["".join(f"|{_escaped(form)}" for form in bucket) + "|" for bucket in buckets]


def _hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value * 31 + byte) % _HASH_MODULUS
    return value


def _forms(domain: str) -> t.Iterator[str]:
    """The domain, and as people write it if it is an IDN."""
    yield domain
    try:
        readable = domain.encode("ascii").decode("idna")
    except UnicodeError:
        return
    if readable != domain:
        yield readable


def _escaped(text: str) -> str:
    """Text for a quoted string of Lua, bytes beyond ASCII as decimal escapes."""
    return "".join(chr(byte) if byte < 128 else f"\\{byte}" for byte in text.encode())


_SCRIPT = r"""-- @HEADER@
local FILES = {
@FILES@}
-- Domains by hash, see is_ours.
local DOMAINS = {
@DOMAINS@}
local XML, JSON = "text/xml; charset=utf-8", "application/json; charset=utf-8"
local OUTLOOK_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006"
-- Longest address: RFC 5321 section 4.5.3.1; the rest of a request is a few hundred bytes.
local MAX_ADDRESS, MAX_LOCAL_PART = 254, 64

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&apos;" }
local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function escape_xml(text)
  return (string.gsub(text, "[&<>\"']", ESCAPES))
end

local function is_ours(domain)
  local hash = 0
  for index = 1, #domain do
    hash = (hash * 31 + string.byte(domain, index)) % 65521
  end
  return string.find(DOMAINS[hash % @BUCKETS@ + 1], "|" .. domain .. "|", 1, true) ~= nil
end

-- Whether all bytes are UTF-8 that XML 1.0 can carry.
local function is_text(value)
  if not string.find(value, "[\128-\255]") then
    return true
  end
  if not utf8 or not utf8.len(value) then
    return false
  end
  local surrogate, no_character, control = "\237[\160-\191]", "\239\191[\190\191]", "\194[\128-\159]"
  return not (string.find(value, surrogate) or string.find(value, no_character) or string.find(value, control))
end

-- The parts of an address in one of our domains, or nil: local part (RFC 5321 dot-string, RFC 6531) and domain in lower case.
local function split_address(value)
  if not value or #value > MAX_ADDRESS then
    return nil
  end
  local at = string.find(value, "@", 1, true)
  if not at or at == 1 or at > MAX_LOCAL_PART + 1 then
    return nil
  end
  local user, domain = string.sub(value, 1, at - 1), string.lower(string.sub(value, at + 1))
  if string.find(user, "[^%w!#$%%&'*+/=?^_`{|}~.\128-\255-]") or string.find(domain, "[^%w.\128-\255-]") then
    return nil
  end
  if not is_text(value) or not is_ours(domain) then
    return nil
  end
  return user, domain
end

local function decode_url(text)
  return (string.gsub(text, "%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end

-- The value of a parameter of the query string; names in any case. A plus stays one: addresses are not form data.
local function parameter(r, ...)
  local names = { ... }
  for pair in string.gmatch(r.args or "", "[^&]+") do
    local equals = string.find(pair, "=", 1, true) or #pair + 1
    local key = string.lower(string.sub(pair, 1, equals - 1))
    for _, name in ipairs(names) do
      if key == name then
        return decode_url(string.sub(pair, equals + 1))
      end
    end
  end
  return nil
end

-- Whether the name that begins at an index of the body is that of a start tag, behind whatever prefix.
local function opens_tag(body, index)
  local before = string.byte(body, index - 1)
  if before == 60 then -- <
    return true
  end
  return before == 58 and string.find(string.sub(body, math.max(1, index - 64), index - 1), "<[%w_.-]*:$") ~= nil
end

-- The text of the first element of that local name, whatever its prefix. Plain searches only: the time is linear in the body.
local function element(body, name)
  local from = 1
  for _ = 1, 16 do
    local first, last = string.find(body, name, from, true)
    if not first then
      return nil
    end
    if first > 1 and opens_tag(body, first) and not string.find(body, "^[%w_.-]", last + 1) then
      local close = string.byte(body, last + 1) == 62 and last + 1 or string.find(body, ">", last + 1, true)
      local stop = close and string.find(body, "<", close + 1, true)
      if stop then
        local text = string.sub(body, close + 1, stop - 1)
        if string.find(text, "[%s&]") then
          text = string.gsub(string.match(text, "^%s*(%S+)%s*$") or "", "&(%a+);", ENTITIES)
        end
        return text
      end
    end
    from = last + 1
  end
  return nil
end

local function send(r, media_type, text)
  r.content_type = media_type
  r.headers_out["Cache-Control"] = "no-store"
  r:write(text)
  return apache2.OK
end

local function send_error(r, code, message)
  return send(r, XML, string.format([[
<?xml version="1.0" encoding="UTF-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response>
    <Error Time="%s" Id="0">
      <ErrorCode>%d</ErrorCode>
      <Message>%s</Message>
      <DebugData/>
    </Error>
  </Response>
</Autodiscover>
]], os.date("!%H:%M:%S"), code, message))
end

-- The document in pieces, each second one the name of a placeholder, read once after each reload of Apache. Its digest stands
-- here, so that a new document is a new script, for which Apache is reloaded: @DIGEST@
local document = {}

local function read_document()
  local stream = io.open(FILES.autodiscover, "rb")
  local text = stream and stream:read("*a")
  if stream then
    stream:close()
  end
  -- Written with one line break at its end, so that a file that was cut off is told by that alone.
  if not text or not string.find(text, "</Autodiscover>\n", -20, true) then
    return nil
  end
  local pieces, from = {}, 1
  for first, name, after in string.gmatch(text, "()%%(EMAIL%u+)%%()") do
    pieces[#pieces + 1] = string.sub(text, from, first - 1)
    pieces[#pieces + 1] = name
    from = after
  end
  pieces[#pieces + 1] = string.sub(text, from)
  local neutral = string.gsub(text, "%s*<LoginName>[^<]*</LoginName>", function(login)
    return string.find(login, "%EMAIL", 1, true) and "" or login
  end)
  return pieces, (string.gsub(neutral, "%%EMAILDOMAIN%%", "@PRIMARY@"))
end

local function current_document(r)
  if not document.pieces then
    local pieces, neutral = read_document()
    if not pieces then
      r:err("mail_autoconfig: " .. FILES.autodiscover .. " is missing or damaged")
      return nil
    end
    document = { pieces = pieces, neutral = neutral }
  end
  return document
end

-- The settings for an address, or those without anything personal.
local function send_settings(r, user, domain)
  local found = current_document(r)
  if not found then
    return 500
  end
  if not user then
    return send(r, XML, found.neutral)
  end
  local address = escape_xml(user .. "@" .. domain)
  local pieces, filled = found.pieces, {}
  for index = 1, #pieces, 2 do
    local name = pieces[index + 1]
    filled[index] = pieces[index]
    if name == "EMAILADDRESS" then
      filled[index + 1] = address
    elseif name == "EMAILLOCALPART" then
      filled[index + 1] = escape_xml(user)
    elseif name == "EMAILDOMAIN" then
      filled[index + 1] = escape_xml(domain)
    elseif name then
      filled[index + 1] = "%" .. name .. "%"
    end
  end
  return send(r, XML, table.concat(filled))
end

local function answer_xml(r)
  if r.method ~= "POST" then
    local address = parameter(r, "email", "emailaddress")
    if not address or address == "" then
      return send_settings(r)
    end
    local user, domain = split_address(address)
    if not user then
      return send_error(r, 600, "Invalid Request")
    end
    return send_settings(r, user, domain)
  end
  local body = r:requestbody()
  if not body then
    if r.headers_in["Transfer-Encoding"] then
      -- mod_lua reads no body without a length; the rest of the settings is worth more than an error.
      return send_settings(r)
    end
    if (tonumber(r.headers_in["Content-Length"]) or 0) > 0 then
      -- Larger than LimitRequestBody, or cut off.
      return 413
    end
    body = ""
  end
  -- The one schema that nearly all ask for is told by a plain search; what stands around it matters only where it is missing.
  if not string.find(body, OUTLOOK_SCHEMA, 1, true) then
    local schema = element(body, "AcceptableResponseSchema")
    if schema and string.sub(string.lower(schema), 1, #OUTLOOK_SCHEMA) ~= OUTLOOK_SCHEMA then
      return send_error(r, 601, "Provider is not available")
    end
  end
  local user, domain = split_address(element(body, "EMailAddress"))
  if not user then
    return send_error(r, 600, "Invalid Request")
  end
  return send_settings(r, user, domain)
end

local function send_json(r, status, first, first_value, second, second_value)
  r.status = status
  return send(r, JSON, string.format('{"%s":"%s","%s":"%s"}', first, first_value, second, second_value))
end

local function answer_json(r)
  local protocol = string.lower(parameter(r, "protocol") or "")
  if protocol ~= "autodiscoverv1" then
    return send_json(r, 400, "ErrorCode", "InvalidProtocol", "ErrorMessage", "The supported protocol is AutodiscoverV1.")
  end
  local address = parameter(r, "email", "emailaddress") or string.match(r.uri, "/[vV]1%.0/(.+)$")
  local user, domain = split_address(address)
  if address and not user then
    return send_json(r, 400, "ErrorCode", "InvalidDomain", "ErrorMessage", "The address is not in a domain that is served here.")
  end
  -- As a person types an IDN it is no host name.
  if not domain or string.find(domain, "[^%w.-]") then
    domain = "@PRIMARY@"
  end
  local scheme, port = "http", "@HTTP@"
  if r.is_https then
    scheme, port = "https", "@HTTPS@"
  end
  local url = scheme .. "://autodiscover." .. domain .. port .. "/autodiscover/autodiscover.xml"
  return send_json(r, 200, "Protocol", "AutodiscoverV1", "Url", url)
end

-- Answers a request whose path Apache has matched.
function handle(r)
  if r.method ~= "GET" and r.method ~= "HEAD" and r.method ~= "POST" then
    r.headers_out["Allow"] = "GET, HEAD, POST"
    return 405
  end
  if string.find(string.lower(r.uri), "^/autodiscover/autodiscover%.json") then
    return answer_json(r)
  end
  return answer_xml(r)
end

-- Maps a request for one of our domains to its answer, on a site that is not ours, and leaves every other to the site.
function translate(r)
  local host = string.gsub(string.lower(r.hostname or ""), "%.$", "")
  if not is_ours(host) then
    return apache2.DECLINED
  end
  if string.sub(string.lower(r.uri), 1, 14) ~= "/autodiscover/" then
    r.filename = FILES.autoconfig
    r.subprocess_env["@MARK@"] = "@DOCUMENT@"
  elseif FILES.autodiscover then
    r.filename = @TARGET@
    r.subprocess_env["@MARK@"] = "@TARGET_KIND@"
  else
    return apache2.DECLINED
  end
  return apache2.OK
end
"""
