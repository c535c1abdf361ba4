-- `wrk … -- METHOD BYTES`: what is sent; at the end one line of JSON.
function init(args)
    if args[1] then
        wrk.method = args[1]
        wrk.body = string.rep("x", tonumber(args[2]))
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"errors":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
