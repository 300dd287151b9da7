#include "app/session/job_thread.h"

#include <algorithm>
#include <utility>

namespace phiscope::session {

JobThread::JobThread() : thread_([this] { loop(); }) {}

JobThread::~JobThread() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
    jobs_.clear();
  }
  wake_.notify_all();
  thread_.join();
}

void JobThread::post(std::string tag, std::function<void()> job) {
  {
    const std::scoped_lock lock(mutex_);
    const auto same = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& waiting) { return !tag.empty() && waiting.tag == tag; });
    if (same != jobs_.end()) {
      same->run = std::move(job);
    } else {
      jobs_.push_back({std::move(tag), std::move(job)});
    }
  }
  wake_.notify_one();
}

void JobThread::loop() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ends_ || !jobs_.empty(); });
      if (ends_) return;
      job = std::move(jobs_.front().run);
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace phiscope::session
