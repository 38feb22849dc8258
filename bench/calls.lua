-- The calls that people make, for wrk. CALL names one; TICKETS is how many tickets there are; TOKEN signs in.
local call = os.getenv("CALL")
local tickets = tonumber(os.getenv("TICKETS"))
local run = os.getenv("RUN")
math.randomseed(tonumber(os.getenv("SEED") or "1"))
local n = 0

local headers = { ["Authorization"] = "Bearer " .. os.getenv("TOKEN"), ["Content-Type"] = "application/json" }
local common = { "printer", "login", "error", "account", "network", "password", "screen", "update" }

local function get(path) return wrk.format("GET", path, headers) end

local function send(method, path, body, key)
  local with = { ["Authorization"] = headers["Authorization"], ["Content-Type"] = "application/json" }
  if key then with["Idempotency-Key"] = key end
  return wrk.format(method, path, with, body)
end

local function any() return math.random(1, tickets) end
local function word() return common[math.random(1, #common)] end

local NEW = '{"title":"Printer on floor three jams again","description":"It jams on every second page since Monday. '
  .. 'I have tried both trays and another paper. The display says error 13.20 and then asks for a restart.",'
  .. '"priority":"high","tags":["hardware","printer"]}'

local calls = {
  ticket = function() return get("/api/tickets/" .. any()) end,
  -- BARE is the limit's own path for the same bytes.
  same_ticket = function() return get(os.getenv("BARE") or "/api/tickets/7") end,
  list = function() return get("/api/tickets") end,
  list_mine_open = function() return get("/api/tickets?assignee_id=me&status=open,in_progress,pending") end,
  list_breached = function() return get("/api/tickets?breached=true") end,
  list_tag = function() return get("/api/tickets?tag=network") end,
  list_unassigned = function() return get("/api/tickets?assignee_id=none") end,
  list_by_deadline = function() return get("/api/tickets?sort=sla_deadline&status=open") end,
  deep_page = function() return get("/api/tickets?offset=900") end,
  search_rare = function() return get("/api/tickets?q=" .. os.getenv("RARE")) end,
  search_common = function() return get("/api/tickets?q=" .. word()) end,
  search_three = function() return get("/api/tickets?q=the+to+" .. word()) end,
  search_three_middling = function() return get("/api/tickets?q=" .. word() .. "+" .. word() .. "+" .. word()) end,
  stats = function() return get("/api/tickets/stats") end,
  create = function() return send("POST", "/api/tickets", NEW, run .. n) end,
  repeated_key = function() return send("POST", "/api/tickets", NEW, run .. "same") end,
  comment = function()
    return send("POST", "/api/tickets/" .. any() .. "/comments", '{"body":"Thank you, the other tray works."}', run .. n)
  end,
  patch = function()
    -- The version is not known here, so half of these are told that they are late: both answers are timed.
    return send("PATCH", "/api/tickets/" .. any(), '{"version":2,"priority":"' .. (n % 2 == 0 and "low" or "high") .. '"}')
  end,
}

calls.mix = function()
  local dice = math.random(100)
  if dice <= 40 then return calls.ticket() end
  if dice <= 55 then return calls.list() end
  if dice <= 62 then return calls.list_mine_open() end
  if dice <= 70 then return calls.search_common() end
  if dice <= 80 then return calls.create() end
  if dice <= 92 then return calls.comment() end
  return calls.patch()
end

request = function()
  n = n + 1
  return calls[call]()
end

done = function(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
