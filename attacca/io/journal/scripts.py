"""What a Redis server does for a journal, each in one go so that nobody comes in between.

PREFIX:async:call:ID     a hash: call, request, outcome, and what is asked of them: owner, open, state, key, size, entry
PREFIX:async:key:KEY     the call that has it
PREFIX:async:open        a stream of what is open; those of a consumer of its group are the calls of that owner
PREFIX:async:owner:NAME  there as long as its lease
PREFIX:async:by:STATE    the calls in a state by the time when they were asked for, and `by:all`
PREFIX:async:over        those that are over, by the time when they are forgotten
PREFIX:async:marks       the due time of each schedule's mark; `missed`: how many runs were; `bytes`: of all there is

ARGV[1] is PREFIX:async, ARGV[2] the owner. Names of keys are made here, so that it is for a server of its own or with
replicas, not for a cluster of shards.
"""

COMMON = """
local P, me = ARGV[1], ARGV[2]
local group = 'gateways'
local function place(id) return P .. ':call:' .. id end
local function gone(id) return {'gone', redis.call('HGET', place(id), 'call')} end
local function weigh(id)
    local at = place(id)
    local old = tonumber(redis.call('HGET', at, 'size') or 0)
    local size = redis.call('HSTRLEN', at, 'request') + redis.call('HSTRLEN', at, 'outcome')
    redis.call('HSET', at, 'size', size)
    redis.call('INCRBY', P .. ':bytes', size - old)
end
local function move(id, state, at)
    local old = redis.call('HGET', place(id), 'state')
    if old then redis.call('ZREM', P .. ':by:' .. old, id) end
    redis.call('HSET', place(id), 'state', state)
    redis.call('ZADD', P .. ':by:' .. state, at, id)
    redis.call('ZADD', P .. ':by:all', at, id)
end
local function close(id)
    local entry = redis.call('HGET', place(id), 'entry')
    if entry then
        redis.call('XACK', P .. ':open', group, entry)
        redis.call('XDEL', P .. ':open', entry)
        redis.call('HDEL', place(id), 'entry')
    end
    redis.call('HSET', place(id), 'open', '0')
end
local function forget(id)
    close(id)
    local old = redis.call('HMGET', place(id), 'state', 'key', 'size')
    redis.call('ZREM', P .. ':by:' .. old[1], id)
    redis.call('ZREM', P .. ':by:all', id)
    redis.call('ZREM', P .. ':over', id)
    if old[2] and old[2] ~= '' then redis.call('DEL', P .. ':key:' .. old[2]) end
    redis.call('INCRBY', P .. ':bytes', -tonumber(old[3]))
    redis.call('DEL', place(id))
end
local function advance(name, due, missed)
    local known = redis.call('HGET', P .. ':marks', name)
    if known and tonumber(known) >= tonumber(due) then return false end
    redis.call('HSET', P .. ':marks', name, due)
    redis.call('HINCRBY', P .. ':missed', name, missed)
    return true
end
"""
ACCEPT = (
    COMMON
    + """
local id, state, at, key, call, request, mark = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
if key ~= '' then
    local other = redis.call('GET', P .. ':key:' .. key)
    if other then
        local found = redis.call('HMGET', place(other), 'call', 'request', 'outcome')
        return {'repeated', found[1], found[2], found[3]}
    end
end
if redis.call('EXISTS', place(id)) == 1 then return {'gone'} end
if mark ~= '' and not advance(mark, ARGV[10], ARGV[11]) then return {'gone'} end
redis.call('HSET', place(id), 'call', call, 'request', request, 'owner', me, 'open', '1', 'key', key, 'size', 0)
redis.call('HSET', place(id), 'entry', redis.call('XADD', P .. ':open', '*', 'id', id))
redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1, 'STREAMS', P .. ':open', '>')
if key ~= '' then redis.call('SET', P .. ':key:' .. key, id) end
move(id, state, at)
weigh(id)
return {'stored'}
"""
)
UPDATE = (
    COMMON
    + """
local id, state, at, open, expires_at, call, keeps, outcome =
    ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local found = redis.call('HMGET', place(id), 'open', 'owner')
if found[1] ~= '1' or found[2] ~= me then return gone(id) end
redis.call('HSET', place(id), 'call', call)
if keeps ~= '1' then redis.call('HDEL', place(id), 'request') end
if outcome ~= '' then redis.call('HSET', place(id), 'outcome', outcome) end
move(id, state, at)
weigh(id)
if open ~= '1' then
    close(id)
    redis.call('ZADD', P .. ':over', expires_at, id)
end
return {'stored'}
"""
)
CANCEL = (
    COMMON
    + """
local id, state, at, expires_at, before, call = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
if redis.call('HGET', place(id), 'call') ~= before then return {'changed'} end
redis.call('HSET', place(id), 'call', call)
redis.call('HDEL', place(id), 'request')
move(id, state, at)
weigh(id)
close(id)
redis.call('ZADD', P .. ':over', expires_at, id)
return {'stored'}
"""
)
REVIVE = (
    COMMON
    + """
local id, state, at, before, call = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if redis.call('HGET', place(id), 'call') ~= before then return {'changed'} end
redis.call('HDEL', place(id), 'outcome')
redis.call('HSET', place(id), 'call', call, 'owner', '', 'open', '1')
redis.call('HSET', place(id), 'entry', redis.call('XADD', P .. ':open', '*', 'id', id))
redis.call('ZREM', P .. ':over', id)
move(id, state, at)
weigh(id)
return {'stored'}
"""
)
DELETE = (
    COMMON
    + """
local id, may_be_open = ARGV[3], ARGV[4]
local found = redis.call('HMGET', place(id), 'open', 'owner')
if not found[1] then return {'gone'} end
if found[1] == '1' and not (may_be_open == '1' and found[2] == me) then return gone(id) end
forget(id)
return {'stored'}
"""
)
ADVANCE = (
    COMMON
    + """
if advance(ARGV[3], ARGV[4], ARGV[5]) then return {'stored'} end
return {'gone'}
"""
)
CLAIM = (
    COMMON
    + """
local lease_ms, limit, with_own = ARGV[3], tonumber(ARGV[4]), ARGV[5]
redis.call('SET', P .. ':owner:' .. me, '1', 'PX', lease_ms)
local calls = {}
local function take(id)
    redis.call('HSET', place(id), 'owner', me)
    calls[#calls + 1] = redis.call('HGET', place(id), 'call')
end
if limit > 0 then
    local new = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', limit, 'STREAMS', P .. ':open', '>')
    for _, entry in ipairs(new and new[1][2] or {}) do take(entry[2][2]) end
end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', P .. ':open', group)) do
    local name = consumer[2]
    local is_gone = name ~= me and redis.call('EXISTS', P .. ':owner:' .. name) == 0
    local wanted = limit - #calls
    if wanted > 0 and (is_gone or (name == me and with_own == '1')) then
        for _, waiting in ipairs(redis.call('XPENDING', P .. ':open', group, '-', '+', wanted, name)) do
            local entries = redis.call('XCLAIM', P .. ':open', group, me, 0, waiting[1])
            for _, entry in ipairs(entries) do take(entry[2][2]) end
        end
    end
    if is_gone and redis.call('XPENDING', P .. ':open', group, '-', '+', 1, name)[1] == nil then
        redis.call('XGROUP', 'DELCONSUMER', P .. ':open', group, name)
    end
end
return calls
"""
)
SWEEP = (
    COMMON
    + """
local now, most, limit = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local forgotten = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':over', '-inf', now, 'LIMIT', 0, limit)) do
    forget(id)
    forgotten = forgotten + 1
end
while forgotten < limit and tonumber(redis.call('GET', P .. ':bytes') or 0) > most do
    local oldest = redis.call('ZRANGE', P .. ':over', 0, 0)[1]
    if not oldest then break end
    forget(oldest)
    forgotten = forgotten + 1
end
return forgotten
"""
)
