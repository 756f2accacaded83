-- Fills the line at the cursor with what `linnet serve` says belongs there (Neovim 0.7 or later, and curl).
--   :luafile examples/neovim.lua    then Ctrl-L while typing, or :LinnetFill
-- Another address than the usual one: let g:linnet_url = "http://127.0.0.1:9000". A key: the variable LINNET_KEY.

local function ask(body)
  local address = (vim.g.linnet_url or "http://127.0.0.1:8177") .. "/infill"
  local command = { "curl", "--silent", "--show-error", "--max-time", "10", "--data-binary", "@-", address }
  if vim.env.LINNET_KEY then
    vim.list_extend(command, { "--header", "Authorization: Bearer " .. vim.env.LINNET_KEY })
  end
  local said = vim.fn.system(command, vim.fn.json_encode(body))
  local read, told = pcall(vim.fn.json_decode, said)
  if not read then
    return nil, said
  end
  return told.content, told.error and told.error.message
end

local function fill()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
  local above, below = vim.list_slice(lines, 1, row - 1), vim.list_slice(lines, row + 1)
  local text, problem = ask({
    input_prefix = #above > 0 and table.concat(above, "\n") .. "\n" or "",
    prompt = lines[row]:sub(1, column),
    input_suffix = lines[row]:sub(column + 1) .. "\n" .. table.concat(below, "\n"),
    n_predict = 32,
    stop = { "\n" },
  })
  if not text then
    vim.api.nvim_err_writeln("linnet: " .. problem)
    return
  end
  vim.api.nvim_buf_set_text(0, row - 1, column, row - 1, column, { text })
  vim.api.nvim_win_set_cursor(0, { row, column + #text })
end

vim.api.nvim_create_user_command("LinnetFill", fill, {})
vim.keymap.set("i", "<C-l>", fill)
