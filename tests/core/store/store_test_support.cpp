#include "tests/core/store/store_test_support.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>

namespace phiscope::test {
namespace {

void expect_same_bits(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return;
  EXPECT_EQ(std::bit_cast<uint64_t>(a), std::bit_cast<uint64_t>(b)) << a << " and " << b;
}

void expect_same_bits(const std::optional<double>& a, const std::optional<double>& b) {
  ASSERT_EQ(a.has_value(), b.has_value());
  if (a) expect_same_bits(*a, *b);
}

void expect_equal_heads(const phiscope::Run& a, const phiscope::Run& b) {
  EXPECT_EQ(a.run_id, b.run_id);
  EXPECT_EQ(a.started_at, b.started_at);
  expect_same_bits(a.seconds, b.seconds);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.model_hash, b.model_hash);
  EXPECT_EQ(a.artifact_hash, b.artifact_hash);
  EXPECT_EQ(a.tokenizer_hash, b.tokenizer_hash);
  EXPECT_EQ(a.recipe, b.recipe);
  EXPECT_EQ(a.backend, b.backend);
  EXPECT_EQ(a.suite, b.suite);
  EXPECT_EQ(a.suite_hash, b.suite_hash);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_EQ(a.threads, b.threads);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.requested, b.requested);
  EXPECT_EQ(a.effective, b.effective);
  EXPECT_EQ(a.app_version, b.app_version);
  EXPECT_EQ(a.environment, b.environment);
}

void expect_equal_metrics(const phiscope::Run& a, const phiscope::Run& b) {
  ASSERT_EQ(a.metrics.size(), b.metrics.size());
  for (size_t i = 0; i < a.metrics.size(); ++i) {
    EXPECT_EQ(a.metrics[i].id, b.metrics[i].id);
    EXPECT_EQ(a.metrics[i].reason, b.metrics[i].reason);
    EXPECT_EQ(a.metrics[i].n, b.metrics[i].n);
    EXPECT_EQ(a.metrics[i].version, b.metrics[i].version);
    expect_same_bits(a.metrics[i].value, b.metrics[i].value);
    expect_same_bits(a.metrics[i].low, b.metrics[i].low);
    expect_same_bits(a.metrics[i].high, b.metrics[i].high);
  }
  ASSERT_EQ(a.metric_infos.size(), b.metric_infos.size());
  for (size_t i = 0; i < a.metric_infos.size(); ++i) {
    const MetricInfo& x = a.metric_infos[i];
    const MetricInfo& y = b.metric_infos[i];
    EXPECT_EQ(std::tie(x.id, x.version, x.label, x.unit, x.direction, x.group, x.definition, x.relevant_difference, x.relevant_is_relative),
              std::tie(y.id, y.version, y.label, y.unit, y.direction, y.group, y.definition, y.relevant_difference, y.relevant_is_relative));
  }
}

void expect_equal_raw(const phiscope::Run& a, const phiscope::Run& b) {
  ASSERT_EQ(a.samples.size(), b.samples.size());
  for (size_t i = 0; i < a.samples.size(); ++i) {
    EXPECT_EQ(a.samples[i].metric, b.samples[i].metric);
    EXPECT_EQ(a.samples[i].item, b.samples[i].item);
    EXPECT_EQ(a.samples[i].repetition, b.samples[i].repetition);
    EXPECT_EQ(a.samples[i].mark, b.samples[i].mark);
    expect_same_bits(a.samples[i].value, b.samples[i].value);
  }
  ASSERT_EQ(a.series.size(), b.series.size());
  for (size_t i = 0; i < a.series.size(); ++i) {
    const Series& x = a.series[i];
    const Series& y = b.series[i];
    EXPECT_EQ(std::tie(x.kind, x.metric, x.item, x.repetition, x.columns), std::tie(y.kind, y.metric, y.item, y.repetition, y.columns));
    ASSERT_EQ(x.rows.size(), y.rows.size());
    for (size_t column = 0; column < x.rows.size(); ++column) {
      ASSERT_EQ(x.rows[column].size(), y.rows[column].size());
      for (size_t row = 0; row < x.rows[column].size(); ++row) expect_same_bits(x.rows[column][row], y.rows[column][row]);
    }
  }
  ASSERT_EQ(a.warnings.size(), b.warnings.size());
  for (size_t i = 0; i < a.warnings.size(); ++i)
    EXPECT_EQ(std::tie(a.warnings[i].id, a.warnings[i].sentence, a.warnings[i].remedy),
              std::tie(b.warnings[i].id, b.warnings[i].sentence, b.warnings[i].remedy));
}

}  // namespace

std::unique_ptr<Store> open_store(const std::filesystem::path& path) {
  auto store = Store::open(path);
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_equal_runs(const phiscope::Run& a, const phiscope::Run& b) {
  expect_equal_heads(a, b);
  expect_equal_metrics(a, b);
  expect_equal_raw(a, b);
}

std::string test_run_id(int number) { return fmt::format("01JD{:022}", number); }

Child::Child(const std::function<int(int descriptor)>& body) {
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) return;
  process_ = ::fork();
  if (process_ == 0) {
    ::close(ends[0]);
    ::_exit(body(ends[1]));
  }
  ::close(ends[1]);
  descriptor_ = ends[0];
}

Child::~Child() {
  kill();
  wait();
  ::close(descriptor_);
}

std::string Child::read(size_t count) {
  std::string text;
  char byte = 0;
  while (text.size() < count && ::read(descriptor_, &byte, 1) == 1) text.push_back(byte);
  return text;
}

std::string Child::read_all() { return read(std::string::npos); }

void Child::kill() {
  if (process_ > 0) ::kill(process_, SIGKILL);
}

int Child::wait() {
  if (process_ <= 0) return 0;
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace phiscope::test
