import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { throttle } from "../src/throttle";

describe("throttle", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("merges calls until the delay is over", async () => {
    const action = vi.fn(async () => {});
    const { call } = throttle(action, () => 1000);
    for (let count = 0; count < 5; count += 1) call();
    await vi.advanceTimersByTimeAsync(999);
    expect(action).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(action).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(action).toHaveBeenCalledOnce();
  });

  it("runs once more for calls during a run, never two at a time", async () => {
    let running = 0;
    const action = vi.fn(async () => {
      running += 1;
      expect(running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      running -= 1;
    });
    const { call } = throttle(action, () => 1000);
    call();
    await vi.advanceTimersByTimeAsync(1500);
    call();
    call();
    await vi.advanceTimersByTimeAsync(4000);
    expect(action).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(action).toHaveBeenCalledTimes(2);
  });

  it("accepts a delay that is over already", async () => {
    const action = vi.fn(async () => {});
    throttle(action, () => -500).call();
    await vi.advanceTimersByTimeAsync(0);
    expect(action).toHaveBeenCalledOnce();
  });

  it("does not run after cancel", async () => {
    const action = vi.fn(async () => {});
    const { call, cancel } = throttle(action, () => 1000);
    call();
    cancel();
    call();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(action).not.toHaveBeenCalled();
  });
});
