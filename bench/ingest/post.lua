-- post.lua - wrk's request: an event of 1 KiB.
local head = '{"event":"report_run_started","report_run_url":"https://example.com/runs/1","pad":"'
wrk.method = "POST"
wrk.body = head .. string.rep("x", 1024 - #head - 2) .. '"}'
wrk.headers["Content-Type"] = "application/json"
