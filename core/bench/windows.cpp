#include "core/bench/windows.h"

#include <algorithm>

#include "core/base/files.h"

namespace phiscope::bench {
namespace {

std::vector<TextWindow> contiguous(std::span<const int32_t> text, int64_t chunk, std::optional<int32_t> bos) {
  std::vector<TextWindow> windows;
  for (int64_t begin = 0; begin + chunk <= static_cast<int64_t>(text.size()); begin += chunk) {
    TextWindow window;
    const auto ids = text.subspan(static_cast<size_t>(begin), static_cast<size_t>(chunk));
    window.ids.assign(ids.begin(), ids.end());
    if (bos) window.ids[0] = *bos;
    window.first = chunk / 2;
    window.last = chunk - 2;
    windows.push_back(std::move(window));
  }
  return windows;
}

std::vector<TextWindow> sliding(std::span<const int32_t> text, int64_t chunk, int64_t stride) {
  std::vector<TextWindow> windows;
  const auto size = static_cast<int64_t>(text.size());
  int64_t scored_end = 0;  // tokens before it are scored already
  for (int64_t begin = 0; begin < size && scored_end < size; begin += stride) {
    const int64_t end = std::min(begin + chunk, size);
    TextWindow window;
    const auto ids = text.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    window.ids.assign(ids.begin(), ids.end());
    window.first = std::max(scored_end, begin + 1) - 1 - begin;
    window.last = end - 2 - begin;
    scored_end = end;
    if (window.last >= window.first) windows.push_back(std::move(window));
  }
  return windows;
}

}  // namespace

Result<std::vector<TextWindow>> cut_windows(std::span<const int32_t> text, int64_t chunk, int64_t stride, int64_t max_chunks,
                                            std::optional<int32_t> bos) {
  if (chunk < 4) return fail(ErrorCode::invalid_argument, "a chunk of {} tokens is too short to score; use at least 4", chunk);
  if (stride < 0 || stride > chunk)
    return fail(ErrorCode::invalid_argument, "a stride of {} does not fit chunks of {}; use 1 to {}, or 0 for contiguous chunks", stride,
                chunk, chunk);
  if (static_cast<int64_t>(text.size()) < 2 * chunk)
    return fail(ErrorCode::invalid_argument, "the text has {} tokens, two chunks of {} need {}; use a longer text or smaller chunks",
                text.size(), chunk, 2 * chunk);
  std::vector<TextWindow> windows = stride == 0 ? contiguous(text, chunk, bos) : sliding(text, chunk, stride);
  if (max_chunks > 0 && static_cast<int64_t>(windows.size()) > max_chunks) windows.resize(static_cast<size_t>(max_chunks));
  return windows;
}

Result<TextWindows> load_windows(const Windows& request, const Tokenizer& tokenizer) {
  PHISCOPE_ASSIGN(const std::string text, read_file(request.text));
  std::vector<int32_t> ids = tokenizer.encode(text, Specials::as_text);
  const std::optional<int32_t> bos = tokenizer.add_bos() ? tokenizer.bos() : std::nullopt;
  if (bos) ids.insert(ids.begin(), *bos);
  auto windows = cut_windows(ids, request.chunk, request.stride, request.max_chunks, bos);
  if (!windows) return fail(windows.error().with_context(request.text.filename().string()));
  TextWindows result;
  result.windows = std::move(*windows);
  result.text_tokens = static_cast<int64_t>(ids.size());
  result.bos = bos.has_value();
  result.scored_from = request.stride == 0 ? request.chunk / 2 : std::max<int64_t>(0, request.chunk - request.stride - 1);
  for (const TextWindow& window : result.windows) {
    result.positions += window.positions();
    for (int64_t i = window.first; i <= window.last; ++i)
      result.scored_bytes += static_cast<int64_t>(tokenizer.token_bytes(window.ids[static_cast<size_t>(i + 1)]).size());
  }
  return result;
}

}  // namespace phiscope::bench
