// LocalEngine over texts: hidden states of the reference, scores of a candidate. A model that does not fit into memory goes layer by layer.
#include <algorithm>

#include "core/backend/score.h"
#include "core/backend/walk.h"
#include "core/base/text.h"
#include "core/bench/hidden_file.h"
#include "core/bench/local_engine.h"
#include "core/tensor/dtype.h"

namespace phiscope::bench {
namespace {

struct ScoreColumn {
  const char* name;
  bool of_reference;  // only there when the reference was given
  double (*value)(const PositionScore&);
};
const ScoreColumn kScoreColumns[] = {
    {"id", false, [](const PositionScore& s) { return static_cast<double>(s.target); }},
    {"nll", false, [](const PositionScore& s) { return static_cast<double>(s.nll); }},
    {"nll_reference", true, [](const PositionScore& s) { return static_cast<double>(s.nll_reference); }},
    {"kld", true, [](const PositionScore& s) { return static_cast<double>(s.kld); }},
    {"delta_p", true, [](const PositionScore& s) { return static_cast<double>(s.delta_p); }},
    {"top1", false, [](const PositionScore& s) { return static_cast<double>(s.top1); }},
    {"top1_reference", true, [](const PositionScore& s) { return static_cast<double>(s.top1_reference); }},
    {"p_top1_reference", true, [](const PositionScore& s) { return static_cast<double>(s.p_top1_reference); }},
    {"top5_overlap", true, [](const PositionScore& s) { return static_cast<double>(s.top5_overlap); }},
    {"top10_overlap", true, [](const PositionScore& s) { return static_cast<double>(s.top10_overlap); }},
};

Series position_series(const std::vector<PositionScore>& scores, int64_t item, bool with_reference) {
  Series series{"position_scores", {}, item, 0, {}, {}};
  for (const ScoreColumn& column : kScoreColumns) {
    if (column.of_reference && !with_reference) continue;
    series.columns.emplace_back(column.name);
    std::vector<double>& values = series.rows.emplace_back();
    values.reserve(scores.size());
    for (const PositionScore& score : scores) values.push_back(column.value(score));
  }
  return series;
}

Status round_to_bf16(int64_t, size_t, std::span<float> rows) {
  for (float& value : rows) value = bf16_to_f32(f32_to_bf16(value));
  return {};
}

/// What gives logits: the session, or the head alone of a model that is computed layer by layer.
struct HeadSession {
  Session* session = nullptr;
  std::shared_ptr<const WeightSource> reference;  // outlives `own`
  std::unique_ptr<Session> own;
};

Result<HeadSession> open_head(const OpenedModel& opened, bool with_reference) {
  if (opened.session) return HeadSession{opened.session.get(), nullptr, nullptr};
  HeadSession head;
  const Stage stage = head_stage(*opened.artifact.plan, opened.artifact.weights);
  OpenOptions options = opened.options;
  options.context = 1;
  options.packed_cache.clear();
  options.reference_weights = nullptr;
  if (with_reference) {
    head.reference = head_stage(*opened.artifact.plan, opened.reference_weights).weights;
    options.reference_weights = head.reference.get();
  }
  PHISCOPE_ASSIGN(head.own, opened.backend->open(stage.plan, stage.weights, options));
  head.session = head.own.get();
  return head;
}

std::string text_of(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.token_bytes(id);
  return sanitize_utf8(bytes);
}

/// The words around ids[at], and those of the candidates.
void add_text(const Tokenizer& tokenizer, const TextWindow& window, int64_t at, int64_t around, TokenPlace& place) {
  const std::span<const int32_t> ids(window.ids);
  const int64_t begin = std::max<int64_t>(0, at - around), end = std::min(std::ssize(window.ids), at + 1 + around / 3);
  const auto part = [&](int64_t from, int64_t to) { return ids.subspan(static_cast<size_t>(from), static_cast<size_t>(to - from)); };
  place.before = text_of(tokenizer, part(begin, at));
  place.word = text_of(tokenizer, part(at, at + 1));
  place.after = text_of(tokenizer, part(at + 1, end));
  for (TokenChance& chance : place.top)
    chance.text = chance.id < tokenizer.vocab_size() ? text_of(tokenizer, std::span(&chance.id, 1)) : std::string{};
}

}  // namespace

Status LocalEngine::each_hidden(const TextWindows& text, bool with_noise, const Progress& progress, std::string_view what,
                                const HiddenCallback& on_hidden) {
  filler_loaded_ = 0;
  const auto tell = [&](double fraction) {
    if (progress) progress(fraction, what);
    return !cancel_.cancelled();
  };
  if (opened_->session && !with_noise) {
    std::vector<float> states;
    for (size_t i = 0; i < text.windows.size(); ++i) {
      if (!tell(static_cast<double>(i) / static_cast<double>(text.windows.size())))
        return fail(ErrorCode::cancelled, "stopped after {} of {} chunks", i, text.windows.size());
      states.resize(text.windows[i].ids.size() * static_cast<size_t>(opened_->artifact.plan->hidden));
      PHISCOPE_TRY(opened_->session->truncate(0));
      PHISCOPE_TRY(opened_->session->append(text.windows[i].ids, states));
      PHISCOPE_TRY(on_hidden(i, states));
    }
    return {};
  }
  Walk walk;
  walk.backend = opened_->backend;
  walk.plan = opened_->artifact.plan;
  walk.weights = opened_->artifact.weights;
  walk.options = opened_->options;
  walk.scratch_folder = cache_folder_ / "scratch";
  walk.on_progress = [&](double fraction, int64_t) { return tell(fraction); };
  if (with_noise) walk.on_layer = round_to_bf16;
  std::vector<std::span<const int32_t>> windows;
  for (const TextWindow& window : text.windows) windows.emplace_back(window.ids);
  return walk_layers(walk, windows, on_hidden);
}

Result<HiddenReply> LocalEngine::hidden(const Windows& windows, const std::filesystem::path& out, const Progress& progress) {
  PHISCOPE_TRY(need_tokenizer());
  PHISCOPE_ASSIGN(const TextWindows text, load_windows(windows, *opened_->tokenizer));
  const auto width = static_cast<size_t>(opened_->artifact.plan->hidden);
  PHISCOPE_ASSIGN(const auto writer, HiddenWriter::create(out, text.positions, static_cast<int64_t>(width)));
  PHISCOPE_TRY(each_hidden(text, windows.bf16_noise, progress, "reference pass", [&](size_t i, std::span<const float> states) {
    const TextWindow& window = text.windows[i];
    return writer->write(states.subspan(static_cast<size_t>(window.first) * width, static_cast<size_t>(window.positions()) * width));
  }));
  PHISCOPE_TRY(writer->commit());
  return HiddenReply{static_cast<int64_t>(text.windows.size()), text.positions, text.text_tokens, text.bos};
}

Result<ScoreReply> LocalEngine::score(const Windows& windows, const std::filesystem::path& reference_hidden, const Progress& progress) {
  PHISCOPE_TRY(need_tokenizer());
  const bool with_reference = !reference_hidden.empty();
  if (with_reference && !opened_->reference_weights)
    return fail(ErrorCode::unsupported, "{} was opened without the reference's head, so it cannot be compared", opened_->model.name);
  PHISCOPE_ASSIGN(const TextWindows text, load_windows(windows, *opened_->tokenizer));
  const int64_t hidden = opened_->artifact.plan->hidden, vocab = opened_->artifact.plan->vocab;
  HiddenStates reference;
  if (with_reference) {
    PHISCOPE_ASSIGN(reference, map_hidden(reference_hidden, text.positions, hidden));
  }
  ScoreReply reply{static_cast<int64_t>(text.windows.size()), text.positions, text.text_tokens, text.scored_bytes, text.scored_from, text.bos, {}};
  size_t done = 0;
  HeadSession head;
  PHISCOPE_TRY(each_hidden(text, windows.bf16_noise, progress, "scoring text", [&](size_t i, std::span<const float> states) -> Status {
    if (head.session == nullptr) {
      PHISCOPE_ASSIGN(head, open_head(*opened_, with_reference));
    }
    const TextWindow& window = text.windows[i];
    const auto count = static_cast<size_t>(window.positions() * hidden);
    const auto rows = with_reference ? reference.values.subspan(done, count) : std::span<const float>{};
    done += count;
    const auto targets = std::span<const int32_t>(window.ids).subspan(static_cast<size_t>(window.first + 1), static_cast<size_t>(window.positions()));
    PHISCOPE_ASSIGN(const std::vector<PositionScore> scores,
                    score_states(*head.session, states.subspan(static_cast<size_t>(window.first * hidden), count), targets, rows, hidden, vocab));
    reply.windows.push_back(position_series(scores, static_cast<int64_t>(i), with_reference));
    return {};
  }));
  return reply;
}

Result<DistributionsReply> LocalEngine::distributions(const DistributionsBlock& block, const Progress& progress) {
  PHISCOPE_TRY(need_tokenizer());
  const Tokenizer& tokenizer = *opened_->tokenizer;
  PHISCOPE_ASSIGN(const TextWindows all, load_windows(block.windows, tokenizer));
  if (block.window.size() != block.position.size())
    return fail(ErrorCode::invalid_argument, "{} windows and {} positions do not make places", block.window.size(), block.position.size());
  TextWindows text;               // only the windows that are asked for
  std::vector<int64_t> numbers;  // their numbers in the whole text
  for (size_t i = 0; i < block.window.size(); ++i) {
    const int64_t number = block.window[i];
    if (number < 0 || number >= std::ssize(all.windows) || block.position[i] < 0 ||
        block.position[i] >= all.windows[static_cast<size_t>(number)].positions())
      return fail(ErrorCode::invalid_argument, "the text has no scored position {} in a window {}; has it changed", block.position[i], number);
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end()) continue;
    numbers.push_back(number);
    text.windows.push_back(all.windows[static_cast<size_t>(number)]);
  }
  const int64_t hidden = opened_->artifact.plan->hidden;
  std::vector<float> logits(static_cast<size_t>(opened_->artifact.plan->vocab));
  DistributionsReply reply;
  reply.places.resize(block.window.size());
  HeadSession head;
  PHISCOPE_TRY(each_hidden(text, false, progress, "reading the text again", [&](size_t w, std::span<const float> states) -> Status {
    if (head.session == nullptr) {
      PHISCOPE_ASSIGN(head, open_head(*opened_, false));
    }
    const TextWindow& window = text.windows[w];
    for (size_t i = 0; i < block.window.size(); ++i) {
      if (block.window[i] != numbers[w]) continue;
      const int64_t at = window.first + block.position[i];
      const auto row = states.subspan(static_cast<size_t>(at * hidden), static_cast<size_t>(hidden));
      if (Status done = head.session->logits(row, Head::own, logits); !done) return done;
      reply.places[i] = distribution_at(logits, window.ids[static_cast<size_t>(at + 1)], block.top);
      add_text(tokenizer, window, at + 1, block.around, reply.places[i]);
    }
    return {};
  }));
  return reply;
}

}  // namespace phiscope::bench
