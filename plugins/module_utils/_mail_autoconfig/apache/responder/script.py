"""The body of the script that Apache's mod_lua runs: the same for every provider.

PRIVATE to the collection. It reads a table ``CONFIG`` (see ``config``), which stands before it, and is for Lua 5.3 and newer.
"""

from __future__ import annotations

BODY = r"""
local FILES, PAGES, DOMAINS = CONFIG.files, CONFIG.pages, CONFIG.domains
local PRIMARY, SIGNING, VARIABLES = CONFIG.primary, CONFIG.signing, CONFIG.variables
local XML, JSON = "text/xml; charset=utf-8", "application/json; charset=utf-8"
local BUSY = "The profile could not be signed just now. Please try again in a moment.\n"
local HTML, PROFILE = "text/html; charset=utf-8", "application/x-apple-aspen-config"
local OUTLOOK_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006"
-- Methods that are answered, and how a client is told of them.
local READ = { "GET, HEAD", GET = true, HEAD = true }
local READ_OR_POST = { "GET, HEAD, POST", GET = true, HEAD = true, POST = true }
-- Longest address: RFC 5321 section 4.5.3.1; the rest of a request is a few hundred bytes.
local MAX_ADDRESS, MAX_LOCAL_PART = 254, 64
-- Comments, CDATA sections and the like, of which no known client sends any.
local MAX_SECTIONS = 256
-- White space of XML.
local BLANKS = " \t\r\n"
-- In the place of the login of an address that has none of its own: as long as a short one.
local NOBODY = string.rep("0", 64)

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&apos;" }
local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function escape_xml(text)
  return (string.gsub(text, "[&<>\"']", ESCAPES))
end

-- The string of a few names that alone may hold this one: as |name|, or |name=another|.
local function bucket_of(buckets, name)
  local hash, byte = 0, string.byte
  for index = 1, #name do
    hash = (hash * 31 + byte(name, index)) % 65521
  end
  return buckets[hash % #buckets + 1]
end

-- One of our domains in ASCII by either of its forms, or nil.
local function ascii_domain(domain)
  local bucket = bucket_of(DOMAINS, domain)
  if string.find(bucket, "|" .. domain .. "|", 1, true) then
    return domain
  end
  local _, last = string.find(bucket, "|" .. domain .. "=", 1, true)
  return last and string.match(bucket, "^[^|]*", last + 1)
end

local function is_ours(domain)
  return ascii_domain(domain) ~= nil
end

-- Whether the host of a service for one of our domains, in ASCII, has a certificate.
local function is_secure(service, domain)
  local hosts = CONFIG.secure[service]
  local excepted = string.find(bucket_of(hosts.exceptions, domain), "|" .. domain .. "|", 1, true)
  return hosts.usual == not excepted
end

-- The host that was asked, as names are compared.
local function host_of(r)
  return (string.gsub(string.lower(r.hostname or ""), "%.$", ""))
end

-- Whether all bytes beyond ASCII are UTF-8 that XML 1.0 can carry.
local function is_text(value)
  if not utf8.len(value) then
    return false
  end
  local surrogate, no_character, control = "\237[\160-\191]", "\239\191[\190\191]", "\194[\128-\159]"
  return not (string.find(value, surrogate) or string.find(value, no_character) or string.find(value, control))
end

-- The parts of an address in one of our domains, or nil: local part (RFC 5321 dot-string, RFC 6531), the domain in lower case as
-- it was written, and in ASCII. Quotation marks around a dot-string mean nothing (RFC 5321 section 4.1.2).
local function split_address(value)
  if not value or #value > MAX_ADDRESS then
    return nil
  end
  local at = string.find(value, "@", 1, true)
  if not at or at == 1 or at > MAX_LOCAL_PART + 1 then
    return nil
  end
  local user, domain = string.sub(value, 1, at - 1), string.lower(string.sub(value, at + 1))
  if string.byte(user) == 34 then -- "
    user = string.match(user, '^"(.+)"$') or user
  end
  if string.find(user, "[^%w!#$%%&'*+/=?^_`{|}~.\128-\255-]") or string.find(domain, "[^%w.\128-\255-]") then
    return nil
  end
  if string.find(value, "[\128-\255]") then
    if not is_text(value) then
      return nil
    end
    -- Only the letters of our own domains: those of others need not be compared.
    domain = string.gsub(domain, "[\194-\244][\128-\191]+", CONFIG.lower)
  end
  local ascii = ascii_domain(domain)
  if not ascii then
    return nil
  end
  return user, domain, ascii
end

local function decode_url(text)
  return (string.gsub(text, "%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end

-- A text without the characters at its ends that are among the given; plain steps, because a pattern could take their square.
local function trim(text, blanks)
  local first, last = 1, #text
  while first <= last and string.find(blanks, string.sub(text, first, first), 1, true) do
    first = first + 1
  end
  while last >= first and string.find(blanks, string.sub(text, last, last), 1, true) do
    last = last - 1
  end
  return string.sub(text, first, last)
end

-- The value of a parameter of a query string; names in any case. A plus stays one, because mail clients do not encode it; at the
-- ends it is a blank that a browser encoded.
local function parameter(query, ...)
  local names = { ... }
  for pair in string.gmatch(query or "", "[^&]+") do
    local equals = string.find(pair, "=", 1, true) or #pair + 1
    local key = string.lower(string.sub(pair, 1, equals - 1))
    for _, name in ipairs(names) do
      if key == name then
        return trim(decode_url(trim(string.sub(pair, equals + 1), "+")), BLANKS)
      end
    end
  end
  return nil
end

-- An address out of a URL. Without an @ it was encoded twice, as some servers do that lead a client here.
local function address_of_url(text)
  if string.find(text, "@", 1, true) then
    return text
  end
  return trim(decode_url(text), BLANKS)
end

local function address_in(query)
  local address = parameter(query, "email", "emailaddress")
  return address and address ~= "" and address_of_url(address) or nil
end

-- A text in UTF-16 as UTF-8. Half a surrogate pair stays one, which no address can hold.
local function from_utf16(text, format)
  local characters, index = {}, 1
  while index < #text do
    local unit = string.unpack(format, text, index)
    index = index + 2
    if unit >= 0xD800 and unit <= 0xDBFF and index < #text then
      local low = string.unpack(format, text, index)
      if low >= 0xDC00 and low <= 0xDFFF then
        unit = 0x10000 + (unit - 0xD800) * 0x400 + (low - 0xDC00)
        index = index + 2
      end
    end
    characters[#characters + 1] = utf8.char(unit)
  end
  return table.concat(characters)
end

-- The index of the last character of a tag or declaration, from one inside of it; a quoted value may contain any character. A "["
-- begins what is declared inside of a DOCTYPE: more of the same.
local function end_of_tag(body, from)
  while true do
    local index = string.find(body, "[>%[\"']", from)
    local found = index and string.sub(body, index, index)
    if not index or found == ">" or found == "[" then
      return index
    end
    index = string.find(body, found, index + 1, true)
    if not index then
      return nil
    end
    from = index + 1
  end
end

-- The index of the last character of what begins at an index with "<!" or "<?", nil if it is not closed; and the text of CDATA.
local function section(body, first)
  local _, last
  local start = string.sub(body, first, first + 3)
  if start == "<!--" then
    _, last = string.find(body, "-->", first + 4, true)
  elseif start == "<![C" and string.sub(body, first, first + 8) == "<![CDATA[" then
    _, last = string.find(body, "]]>", first + 9, true)
    return last, last and escape_xml(string.sub(body, first + 9, last - 3))
  elseif string.byte(start, 2) == 63 then -- ?
    _, last = string.find(body, "?>", first + 2, true)
  else
    last = end_of_tag(body, first + 2)
  end
  return last
end

-- A body without comments, processing instructions and declarations, and with CDATA sections as plain text. Each search begins
-- where the one before ended, so that the time is linear. What is not closed has no rest, nor has the last of too many.
local function without_sections(body, from)
  local pieces = {}
  for _ = 1, MAX_SECTIONS do
    local first = string.find(body, "<[!?]", from)
    pieces[#pieces + 1] = string.sub(body, from, first and first - 1)
    if not first then
      break
    end
    local last, text = section(body, first)
    if not last then
      break
    end
    pieces[#pieces + 1] = text
    from = last + 1
  end
  return table.concat(pieces)
end

-- A body as element() reads it, whose usual form is UTF-8 without any of these sections. Encodings are told as XML 1.0 does it
-- (appendix F): by a byte order mark, or by the zero byte beside the first character. What is declared may be wrong: some
-- programs say UTF-16 and send UTF-8.
local function readable(body)
  local first, second = string.byte(body, 1, 2)
  if first == 0 or first == 0xFE then
    body = from_utf16(body, ">I2")
  elseif second == 0 or first == 0xFF then
    body = from_utf16(body, "<I2")
  end
  -- Some write the declaration like a tag, without its second question mark.
  local start = string.match(body, "^[^<]*<%?xml[^>]*>()") or 1
  if string.find(body, "<!", start, true) or string.find(body, "<?", start, true) then
    return without_sections(body, start)
  end
  return body
end

-- The character that a reference of XML means, or nil. A number of more digits than any character has could overflow.
local function character(name)
  local decimal, hex = string.match(name, "^#(%d+)$"), string.match(name, "^#x(%x+)$")
  if not (decimal or hex) then
    return ENTITIES[name]
  end
  -- A step of its own: zeros and digits in one pattern would take the square of their number.
  local digits = string.match(decimal or hex, "^0*(.*)")
  local code = #digits <= 7 and tonumber("0" .. digits, decimal and 10 or 16)
  return code and code <= 0x10FFFF and utf8.char(code) or nil
end

-- Whether the name that begins at an index of the body is that of a start tag, behind whatever prefix.
local function opens_tag(body, index)
  local before = string.byte(body, index - 1)
  if before == 60 then -- <
    return true
  end
  return before == 58 and string.find(string.sub(body, math.max(1, index - 64), index - 1), "<[%w_.\128-\255-]*:$") ~= nil
end

-- The text of the first element of that local name that is not empty, whatever its prefix; "" if all are, nil if there is none.
-- Plain searches only, each from where the one before ended: the time is linear in the body.
local function element(body, name)
  local found
  local first, last = string.find(body, name, 1, true)
  while first do
    if first > 1 and opens_tag(body, first) and not string.find(body, "^[%w_.\128-\255-]", last + 1) then
      local close = string.byte(body, last + 1) == 62 and last + 1 or end_of_tag(body, last + 1)
      local stop = close and string.find(body, "<", close + 1, true)
      if not stop then
        return found
      end
      found = ""
      if string.byte(body, close - 1) ~= 47 then -- "/>"
        found = string.sub(body, close + 1, stop - 1)
      end
      if string.find(found, "[%s&]") then
        found = trim(string.gsub(found, "&(#?%w+);", character), BLANKS)
      end
      if found ~= "" then
        return found
      end
      last = stop
    end
    first, last = string.find(body, name, last + 1, true)
  end
  return found
end

local function send(r, media_type, text)
  r.content_type = media_type
  r.headers_out["Cache-Control"] = "no-store"
  -- Sent at once instead of after all tidying up: a client on a connection of its own has its answer in half the time.
  r.headers_out["Content-Length"] = tostring(#text)
  r:write(text)
  r:flush()
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

-- The documents in pieces, each second one the name of a placeholder, read once after each reload of Apache.
local documents = {}

local function is_placeholder(name)
  return string.find(name, "^EMAIL%u+$") or string.find(name, "^UUID%-[%x-]+$") or name == "STATE"
end

local function split(text)
  local pieces, from, search = {}, 1, 1
  while true do
    local first, last, name = string.find(text, "%%(%u[%w-]+)%%", search)
    if not first then
      pieces[#pieces + 1] = string.sub(text, from)
      return pieces
    end
    if is_placeholder(name) then
      pieces[#pieces + 1] = string.sub(text, from, first - 1)
      pieces[#pieces + 1] = name
      from, search = last + 1, last + 1
    else
      search = last
    end
  end
end

-- A document by its path, or nil and a line in the log. It was written with its last tag and one line break at the end, so
-- that a file that was cut off is told by that alone.
local function document(r, path, last_tag)
  local found = documents[path]
  if found then
    return found
  end
  local stream = io.open(path, "rb")
  local text = stream and stream:read("*a")
  if stream then
    stream:close()
  end
  local ending = last_tag .. "\n"
  if not text or string.sub(text, -#ending) ~= ending then
    r:err("mail_autoconfig: " .. path .. " is missing or damaged")
    return nil
  end
  found = { text = text, pieces = split(text) }
  documents[path] = found
  return found
end

-- The pieces joined, with a value for each placeholder that has one.
local function fill(pieces, value)
  local filled = {}
  for index = 1, #pieces, 2 do
    local name = pieces[index + 1]
    filled[index] = pieces[index]
    if name then
      filled[index + 1] = value[name] or "%" .. name .. "%"
    end
  end
  return table.concat(filled)
end

-- The login name in the encrypted form of the table of logins: sixteen bytes of it at a time XOR the first sixteen of a digest of
-- the address, eight as one number; then without the line breaks that filled it up.
local function decrypted(r, salt, address, text)
  local numbers = {}
  for from = 1, #text, 32 do
    local key = r:sha1(salt .. " " .. from // 32 .. " " .. address)
    for half = 0, 16, 16 do
      local left = tonumber(string.sub(text, from + half, from + half + 15), 16) or 0
      numbers[#numbers + 1] = string.pack(">i8", left ~ tonumber(string.sub(key, half + 1, half + 16), 16))
    end
  end
  return (string.gsub(table.concat(numbers), "\n+$", ""))
end

-- The encrypted login of an address in a table that is open, or nil; and the salt.
local function find_login(r, stream, address)
  stream:read("l")
  local salt, count = string.match(stream:read("l") or "", "^(%x+) (%x%x%x%x%x%x%x%x)$")
  local buckets = tonumber(count or "0", 16)
  if buckets == 0 then
    return nil
  end
  local digest = r:sha1(salt .. " address " .. address)
  stream:seek("cur", tonumber(string.sub(digest, 1, 8), 16) % buckets * 16)
  local place, length = string.match(stream:read(16) or "", "^(%x%x%x%x%x%x%x%x)(%x%x%x%x%x%x%x)\n$")
  if not place then
    return nil
  end
  stream:seek("set", tonumber(place, 16))
  local entries = "\n" .. (stream:read(tonumber(length, 16)) or "")
  local _, last = string.find(entries, "\n" .. string.sub(digest, 1, 16) .. " ", 1, true)
  return last and string.match(entries, "^(%x+)\n", last + 1) or "", salt
end

-- The login of an address that does not follow from it, or nil. The table is opened for each request, so that a new one needs no
-- reload; and of an address that is not in it, as much is decrypted as of one that is.
local function login_of(r, address)
  local stream = io.open(FILES.logins, "rb")
  local found, salt
  if stream then
    found, salt = find_login(r, stream, address)
    stream:close()
  end
  if not found then
    r:err("mail_autoconfig: " .. FILES.logins .. " is missing or damaged")
    return nil
  end
  local login = decrypted(r, salt, address, found ~= "" and found or NOBODY)
  return found ~= "" and is_text(login) and not string.find(login, "%c") and login or nil
end

-- A host name is made of the domain in ASCII, which is what clients look up; the address stays as people write it.
local function personal_values(r, user, domain, ascii)
  local user_text = escape_xml(user)
  local values = { EMAILADDRESS = user_text .. "@" .. escape_xml(domain), EMAILLOCALPART = user_text, EMAILDOMAIN = ascii }
  if FILES.logins then
    local login = login_of(r, string.lower(user) .. "@" .. ascii)
    login = login and escape_xml(login)
    values.EMAILLOGINADDRESS, values.EMAILLOGINLOCALPART = login or values.EMAILADDRESS, login or user_text
  end
  return values
end

-- The settings for an address, or those without anything personal.
local function send_settings(r, user, domain, ascii)
  local found = document(r, FILES.autodiscover, "</Autodiscover>")
  if not found then
    return 500
  end
  if user then
    return send(r, XML, fill(found.pieces, personal_values(r, user, domain, ascii)))
  end
  if not found.neutral then
    local neutral = string.gsub(found.text, "%s*<LoginName>[^<]*</LoginName>", function(login)
      return string.find(login, "%EMAIL", 1, true) and "" or login
    end)
    found.neutral = string.gsub(neutral, "%%EMAILDOMAIN%%", PRIMARY)
  end
  return send(r, XML, found.neutral)
end

-- The settings for what should be an address of ours.
local function send_settings_for(r, address)
  local user, domain, ascii = split_address(address)
  if not user then
    return send_error(r, 600, "Invalid Request")
  end
  return send_settings(r, user, domain, ascii)
end

local function answer_xml(r)
  if r.method ~= "POST" then
    local address = address_in(r.args)
    if address then
      return send_settings_for(r, address)
    end
    return send_settings(r)
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
  body = readable(body)
  -- The one schema that nearly all ask for is told by a plain search; what stands around it matters only where it is missing.
  if not string.find(body, OUTLOOK_SCHEMA, 1, true) then
    local schema = element(body, "AcceptableResponseSchema")
    if schema and string.sub(string.lower(schema), 1, #OUTLOOK_SCHEMA) ~= OUTLOOK_SCHEMA then
      return send_error(r, 601, "Provider is not available")
    end
  end
  return send_settings_for(r, element(body, "EMailAddress"))
end

local function send_json(r, status, first, first_value, second, second_value)
  r.status = status
  return send(r, JSON, string.format('{"%s":"%s","%s":"%s"}', first, first_value, second, second_value))
end

-- The host that answers whoever asked this one, and that can be reached: the domain of the address may have none of its own.
local function answering_host(r)
  local host = host_of(r)
  if not string.find(host, "[^%w.-]") then
    if is_ours(string.match(host, "^autodiscover%.(.+)$") or "") then
      return host
    end
    if is_ours(host) then
      return CONFIG.own_hosts and "autodiscover." .. host or host
    end
  end
  return "autodiscover." .. PRIMARY
end

-- Whether Autodiscover's second version is asked for.
local function is_json(r)
  return string.find(string.lower(r.uri), "^/autodiscover/autodiscover%.json") ~= nil
end

local function answer_json(r)
  local protocol = string.lower(parameter(r.args, "protocol") or "")
  if protocol ~= "autodiscoverv1" then
    return send_json(r, 400, "ErrorCode", "InvalidProtocol", "ErrorMessage", "The supported protocol is AutodiscoverV1.")
  end
  local address = parameter(r.args, "email", "emailaddress") or string.match(r.uri, "/[vV]1%.0/(.+)$")
  if address and not split_address(address_of_url(address)) then
    return send_json(r, 400, "ErrorCode", "InvalidDomain", "ErrorMessage", "The address is not in a domain that is served here.")
  end
  local scheme, port = "http", CONFIG.http_port
  if r.is_https then
    scheme, port = "https", CONFIG.https_port
  end
  local url = scheme .. "://" .. answering_host(r) .. port .. CONFIG.paths.autodiscover
  return send_json(r, 200, "Protocol", "AutodiscoverV1", "Url", url)
end

-- Whether the method is one of those that are answered; otherwise the client is told which are.
local function allows(r, methods)
  if methods[r.method] then
    return true
  end
  r.headers_out["Allow"] = methods[1]
  return false
end

-- Answers Outlook.
function handle(r)
  if not allows(r, READ_OR_POST) then
    return 405
  end
  if is_json(r) then
    return answer_json(r)
  end
  return answer_xml(r)
end

-- Answers Thunderbird and others that tell the address, where a login may not follow from it. The plain file, which Apache sends,
-- is for all others.
function autoconfig(r)
  local address = READ[r.method] and address_in(r.args)
  local user, domain, ascii = split_address(address)
  local found = user and document(r, FILES.personal_autoconfig, "</clientConfig>")
  if not found then
    return apache2.DECLINED
  end
  return send(r, XML, fill(found.pieces, personal_values(r, user, domain, ascii)))
end

-- The language of the setup page that the browser prefers.
local function language_for(r)
  local best, highest = CONFIG.language, 0
  for tag, options in string.gmatch(r.headers_in["Accept-Language"] or "", "(%a[%w-]*)([^,]*)") do
    local language = string.lower(string.match(tag, "^%a+"))
    local quality = tonumber(string.match(options, "q=([%d.]+)") or 1) or 0
    if PAGES[language] and quality > highest then
      best, highest = language, quality
    end
  end
  return best
end

local function send_page(r, state, values)
  local language = language_for(r)
  local found = document(r, PAGES[language].file, "</html>")
  if not found then
    return 500
  end
  values.STATE = state
  found.text = nil
  r.subprocess_env[VARIABLES.policy] = PAGES[language].policy
  r.headers_out["Content-Language"] = language
  r.headers_out["Referrer-Policy"] = "no-referrer"
  r.headers_out["Vary"] = "Accept-Language"
  return send(r, HTML, fill(found.pieces, values))
end

-- The page, without a word of what was asked for.
local function page_without_address(r, state)
  local values = { EMAILADDRESS = "", EMAILLOCALPART = "", EMAILDOMAIN = PRIMARY }
  values.EMAILLOGINADDRESS, values.EMAILLOGINLOCALPART = "", ""
  return send_page(r, state, values)
end

local function refuse_address(r)
  r.status = 400
  if next(PAGES) then
    return page_without_address(r, "refused")
  end
  return send(r, "text/plain; charset=utf-8", "This is no mail address of a domain that is served here.\n")
end

-- Answers people: the setup page, with the settings for an address if they have typed one.
function page(r)
  if not allows(r, READ_OR_POST) then
    return 405
  end
  local query = r.args
  if r.method == "POST" then
    query = r:requestbody()
    if not query and (tonumber(r.headers_in["Content-Length"]) or 0) > 0 then
      return 413
    end
    -- What browsers make of a form: a plus is a blank, and %2B is a plus.
    query = string.gsub(query or "", "%+", " ")
  end
  local address = address_in(query)
  if not address then
    return page_without_address(r, "form")
  end
  local user, domain, ascii = split_address(address)
  if not user then
    return refuse_address(r)
  end
  return send_page(r, "settings", personal_values(r, user, domain, ascii))
end

-- The UUID (version 5, RFC 9562 section 5.5) of a name.
local function uuid(r, namespace, name)
  local bytes = string.gsub(string.gsub(namespace, "%-", ""), "%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  local hex = string.upper(r:sha1(bytes .. name))
  local variant = string.format("%X", 8 + tonumber(string.sub(hex, 17, 17), 16) % 4)
  return table.concat({
    string.sub(hex, 1, 8), string.sub(hex, 9, 12), "5" .. string.sub(hex, 14, 16), variant .. string.sub(hex, 18, 20),
    string.sub(hex, 21, 32),
  }, "-")
end

-- The profile for an address. Whoever types the own address in capitals is the same person, and shall replace the same account.
local function personal_profile(r, user, domain, ascii)
  local found = document(r, FILES.profile, "</plist>")
  if not found then
    return nil
  end
  local values, identity = personal_values(r, user, domain, ascii), string.lower(user .. "@" .. ascii)
  for index = 2, #found.pieces, 2 do
    local namespace = string.match(found.pieces[index], "^UUID%-([%x-]+)$")
    if namespace then
      values[found.pieces[index]] = uuid(r, namespace, identity)
    end
  end
  return fill(found.pieces, values)
end

-- The place in the waiting room for one more profile to be signed, or nil if there were enough this second. Each of Apache's
-- processes counts for itself (two to six by default); two threads that count at the same instant count once, which does no harm.
local function signing_place(r)
  local now = r:clock()
  local second = math.floor(now / 1000000)
  local started = r:ivm_get("mail_autoconfig_second") == second and r:ivm_get("mail_autoconfig_started") or 0
  if started >= SIGNING.started_a_second then
    return nil
  end
  -- Each process begins anywhere, so that two of them seldom send people to the same place.
  local first = r:ivm_get("mail_autoconfig_first_place") or math.floor(now % SIGNING.slots)
  r:ivm_set("mail_autoconfig_first_place", first)
  r:ivm_set("mail_autoconfig_second", second)
  r:ivm_set("mail_autoconfig_started", started + 1)
  return math.floor((first + second + started) % SIGNING.slots)
end

local function send_busy(r)
  r.status = 503
  r.headers_out["Retry-After"] = "5"
  r.headers_out["Content-Disposition"] = "inline"
  return send(r, "text/plain; charset=utf-8", BUSY)
end

-- Answers Apple's devices, and people who fetch the profile for them.
function profile(r)
  if not allows(r, READ) then
    return 405
  end
  local address = address_in(r.args)
  local text
  if address then
    local user, domain, ascii = split_address(address)
    if not user then
      return refuse_address(r)
    end
    text = personal_profile(r, user, domain, ascii)
  else
    local found = document(r, FILES.general_profile, "</plist>")
    text = found and found.text
  end
  if not text then
    return 500
  end
  r.headers_out["Content-Disposition"] = 'attachment; filename="' .. CONFIG.profile_name .. '"'
  if SIGNING.slots == 0 then
    return send(r, PROFILE, text)
  end
  local place = signing_place(r)
  if not place then
    return send_busy(r)
  end
  r.subprocess_env[SIGNING.variable .. place] = "1"
  r.headers_out["Cache-Control"] = "no-store"
  r.content_type = PROFILE
  r:write(text)
  return apache2.OK
end

-- Whether a text is one whole DER structure (X.690 section 8.1.3: identifier, length in definite form, contents).
local function is_der(text)
  local tag, length = string.byte(text, 1, 2)
  if tag ~= 48 or not length or length < 128 or length > 132 then
    return false
  end
  local size = 0
  for index = 3, length - 126 do
    size = size * 256 + (string.byte(text, index) or 0)
  end
  return #text == length - 126 + size
end

-- Filters what the signing filter has made of a profile. If openssl fails, mod_ext_filter sends nothing, half of it, or the
-- unsigned text, and always the status 200.
function signed(r)
  local parts = {}
  coroutine.yield()
  while bucket ~= nil do
    parts[#parts + 1] = bucket
    -- With Lua 5.4 mod_lua takes anything but one value for an error; nothing is sent for an empty one.
    coroutine.yield("")
  end
  local text = table.concat(parts)
  if r.status == 200 and not is_der(text) then
    r:err("mail_autoconfig: a profile could not be signed, or too many are being signed")
    r.status = 503
    r.content_type = "text/plain; charset=utf-8"
    r.headers_out["Retry-After"] = "5"
    r.headers_out["Content-Disposition"] = "inline"
    text = BUSY
  end
  coroutine.yield(text)
end

-- Leads a request to the same answer over TLS, which the host of the service gives.
local function redirect(r, service, domain)
  local path = CONFIG.paths[service]
  if is_json(r) then
    -- The address may be part of the path, so that is taken as it was sent.
    path = string.match(string.gsub(r.unparsed_uri, "^%a+://[^/]*", ""), "^[^?]*")
  end
  local query = r.args and "?" .. r.args or ""
  r.headers_out["Location"] = "https://" .. service .. "." .. domain .. CONFIG.https_port .. path .. query
  return 302
end

-- Maps a request for one of our domains to its answer, on a site that is not ours, and leaves every other to the site.
function translate(r)
  local domain = ascii_domain(host_of(r))
  if not domain then
    return apache2.DECLINED
  end
  local service = string.sub(string.lower(r.uri), 1, 14) == "/autodiscover/" and "autodiscover" or "autoconfig"
  local target = CONFIG.targets[service]
  if not target then
    return apache2.DECLINED
  end
  if not r.is_https and is_secure(service, domain) then
    return redirect(r, service, domain)
  end
  r.filename = target.file
  r.subprocess_env[VARIABLES.mark] = target.kind
  return apache2.OK
end
"""
