// The null test on a simulated clock.
#include "app/session/null_test.h"

#include <gmock/gmock.h>

#include "tests/support/fake_engine.h"

namespace phiscope::session {
namespace {

TEST(NullTest, WithoutNoiseItTakesTheFewestPairs) {
  test::FakeScript script;
  test::FakeEngine a(script), b(script);
  const auto result = tally_verdicts({&a, {}}, {&b, {}}, 3, default_trial_settings());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->same, 3);
  EXPECT_THAT(result->pairs, testing::Each(10));
  EXPECT_EQ(result->block_seconds.size(), 3u * 2 * 10);
}

TEST(NullTest, AnEnginesErrorEndsIt) {
  test::FakeScript script;
  script.errors[{"generate", 9}] = Error{ErrorCode::crashed, "gone"};
  test::FakeEngine a(script), b({});
  const auto result = tally_verdicts({&a, {}}, {&b, {}}, 3, default_trial_settings());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "gone");
}

}  // namespace
}  // namespace phiscope::session
