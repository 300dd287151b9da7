#include <algorithm>

#include "core/backend/score.h"

namespace phiscope {
namespace {

// Rows of logits made at once: enough to share the head's weights between rows, at most about 16 MB of them.
int64_t rows_at_once(int64_t vocab) { return std::clamp<int64_t>((int64_t{4} << 20) / std::max<int64_t>(vocab, 1), 1, 64); }

// The last target is never appended, so the session does not check it.
Status check_targets(std::span<const int32_t> targets, int64_t vocab) {
  for (const int32_t id : targets)
    if (id < 0 || id >= vocab) return fail(ErrorCode::invalid_argument, "token id {} is outside the vocabulary of {} entries", id, vocab);
  return {};
}

Status check_reference(std::span<const float> reference_hidden, int64_t count, int64_t hidden) {
  if (reference_hidden.empty() || static_cast<int64_t>(reference_hidden.size()) == count * hidden) return {};
  return fail(ErrorCode::invalid_argument, "{} reference hidden states of {} values were expected, {} values came", count, hidden,
              reference_hidden.size());
}

template <class T>
std::span<T> row_of(std::span<T> values, int64_t row, int64_t width) {
  return values.subspan(static_cast<size_t>(row * width), static_cast<size_t>(width));
}

}  // namespace

Result<std::vector<PositionScore>> score_window(Session& session, std::span<const int32_t> window, int64_t first, int64_t last,
                                                std::span<const float> reference_hidden, int64_t hidden, int64_t vocab) {
  const auto length = static_cast<int64_t>(window.size());
  if (first < 0 || last < first || last + 1 >= length)
    return fail(ErrorCode::invalid_argument, "positions {} to {} cannot be scored in a window of {} ids", first, last, length);
  const int64_t count = last - first + 1;
  PHISCOPE_TRY(check_targets(window.subspan(static_cast<size_t>(first + 1), static_cast<size_t>(count)), vocab));
  PHISCOPE_TRY(check_reference(reference_hidden, count, hidden));
  PHISCOPE_TRY(session.truncate(0));
  std::vector<float> states(static_cast<size_t>(length * hidden));
  PHISCOPE_TRY(session.append(window, states));
  return score_states(session, std::span(states).subspan(static_cast<size_t>(first * hidden), static_cast<size_t>(count * hidden)),
                      window.subspan(static_cast<size_t>(first + 1), static_cast<size_t>(count)), reference_hidden, hidden, vocab);
}

Result<std::vector<PositionScore>> score_states(Session& session, std::span<const float> states, std::span<const int32_t> targets,
                                                std::span<const float> reference_hidden, int64_t hidden, int64_t vocab) {
  const auto count = static_cast<int64_t>(targets.size());
  if (static_cast<int64_t>(states.size()) != count * hidden)
    return fail(ErrorCode::invalid_argument, "{} states of {} values were expected, {} values came", count, hidden, states.size());
  PHISCOPE_TRY(check_targets(targets, vocab));
  PHISCOPE_TRY(check_reference(reference_hidden, count, hidden));
  const int64_t step = std::min(rows_at_once(vocab), count);
  std::vector<float> candidate(static_cast<size_t>(step * vocab)), reference(reference_hidden.empty() ? 0 : candidate.size());
  std::vector<PositionScore> scores;
  scores.reserve(targets.size());
  for (int64_t row = 0; row < count; row += step) {
    const int64_t rows = std::min(step, count - row);
    const auto part = [&](std::span<const float> all) {
      return all.subspan(static_cast<size_t>(row * hidden), static_cast<size_t>(rows * hidden));
    };
    const auto used = static_cast<size_t>(rows * vocab);
    PHISCOPE_TRY(session.logits(part(states), Head::own, std::span(candidate).first(used)));
    if (!reference.empty()) PHISCOPE_TRY(session.logits(part(reference_hidden), Head::reference, std::span(reference).first(used)));
    for (int64_t i = 0; i < rows; ++i) {
      const std::span<const float> reference_row =
          reference.empty() ? std::span<const float>{} : row_of(std::span<const float>(reference), i, vocab);
      scores.push_back(score_position(reference_row, row_of(std::span<const float>(candidate), i, vocab), targets[static_cast<size_t>(row + i)]));
    }
  }
  return scores;
}

Result<ContinuationScore> score_continuation(Session& session, std::span<const int32_t> context, bool context_is_loaded,
                                             std::span<const int32_t> continuation, int64_t hidden, int64_t vocab) {
  if (context.empty() || continuation.empty())
    return fail(ErrorCode::invalid_argument, "a continuation is scored after at least one id of context, and has at least one id itself");
  PHISCOPE_TRY(check_targets(continuation, vocab));
  if (!context_is_loaded) {
    PHISCOPE_TRY(session.truncate(0));
    PHISCOPE_TRY(session.append(context));
  }
  ContinuationScore score;
  const auto add = [&](std::span<const float> logits, int32_t target) {
    const PositionScore position = score_position({}, logits, target);
    score.log_likelihood -= static_cast<double>(position.nll);
    score.is_greedy = score.is_greedy && position.top1 == target;
  };
  add(session.last_logits(), continuation[0]);
  const std::span<const int32_t> rest = continuation.first(continuation.size() - 1);
  if (rest.empty()) return score;

  // Appending with hidden states leaves last_logits() at the context's end for the next continuation.
  std::vector<float> states(rest.size() * static_cast<size_t>(hidden));
  PHISCOPE_TRY(session.append(rest, states));
  std::vector<float> logits(rest.size() * static_cast<size_t>(vocab));
  PHISCOPE_TRY(session.logits(states, Head::own, logits));
  for (size_t i = 0; i < rest.size(); ++i)
    add(row_of(std::span<const float>(logits), static_cast<int64_t>(i), vocab), continuation[i + 1]);
  PHISCOPE_TRY(session.truncate(static_cast<int64_t>(context.size())));
  return score;
}

}  // namespace phiscope
