/** English words that say how others belong together, and nothing of what a text is about. */
const STOP_WORDS = new Set(
  `a about above after again against all also although always am among an and another any are around as at be became because been before
  being below between both but by can cannot could did do does doing done down during each either else ever every few for from further get
  had has have having he her here hers herself him himself his how however i if in into is it its itself just like made make many may me
  might mine more most much must my myself neither never no nor not now of off often on once one only or other our ours ourselves out over
  own per perhaps please rather same she should since so some such than that the their theirs them themselves then there therefore these
  they this those though through thus to together too toward under until up upon us very via was we well were what whatever when where
  whether which while who whole whom whose why will with within without would yet you your yours yourself yourselves
  i'm you're he's she's it's we're they're i've you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll
  isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't couldn't mustn't let's that's
  who's what's here's there's when's where's why's how's`.split(/\s+/),
);

export const isStopWord = (word: string | undefined): boolean => word !== undefined && STOP_WORDS.has(word.replace("’", "'"));
